// SPDX-License-Identifier: Apache-2.0
// Everything that a backend of this library must pass: its primitives, every operation (values, gradients against finite
// differences, edges, errors, reuse of scratch) and the golden cases, in double and float. One file makes a program of it:
//
//     #include "my_backend.hpp"
//     #define CAUSALDPO_TEST_BACKEND my_backend
//     #include "causaldpo/testing/backend_suite.hpp"
//
// Needs doctest and nlohmann-json. Run it with CAUSALDPO_GOLDEN set to the folder that holds `cases/` (or define a macro
// of that name); doctest's options pick tests: --test-case='mmd_penalty*', --list-test-cases.
//
// It is a lot to compile at once. Compile the same file several times, with -DCAUSALDPO_SUITE_PART=1 to 8, and link the
// objects; without that macro one object holds everything.
//
// The lists below are the only ones: the build compiles the same parts for each of its own backends.
#pragma once

#ifndef CAUSALDPO_TEST_BACKEND
#error "causaldpo: define CAUSALDPO_TEST_BACKEND, the name of a backend, before this header"
#endif
/// What the tests and the table of golden cases call the backend.
#ifndef CAUSALDPO_TEST_NAME
#define CAUSALDPO_TEST_NAME CAUSALDPO_SUITE_TEXT(CAUSALDPO_TEST_BACKEND)
#endif
#define CAUSALDPO_SUITE_TEXT(x) CAUSALDPO_SUITE_LITERAL(x)
#define CAUSALDPO_SUITE_LITERAL(x) #x
#ifdef CAUSALDPO_SUITE_PART
#define CAUSALDPO_SUITE_HAS(part) (CAUSALDPO_SUITE_PART == part)
#else
#define CAUSALDPO_SUITE_HAS(part) 1
#endif

#if !defined(CAUSALDPO_SUITE_PART) || CAUSALDPO_SUITE_PART != 8  // part 8 needs no doctest
#if CAUSALDPO_SUITE_HAS(1) && !defined(DOCTEST_CONFIG_IMPLEMENT)
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#endif
#include "support/cell.hpp"

#define CAUSALDPO_TEST_CELLS \
  ::causaldpo::test::cell<CAUSALDPO_TEST_BACKEND, double>, ::causaldpo::test::cell<CAUSALDPO_TEST_BACKEND, float>
TYPE_TO_STRING_AS(CAUSALDPO_TEST_NAME "/f64", ::causaldpo::test::cell<CAUSALDPO_TEST_BACKEND, double>);
TYPE_TO_STRING_AS(CAUSALDPO_TEST_NAME "/f32", ::causaldpo::test::cell<CAUSALDPO_TEST_BACKEND, float>);
#endif

#include "causaldpo/concepts/check_backend.hpp"
static_assert(causaldpo::check_backend<CAUSALDPO_TEST_BACKEND>());

#if CAUSALDPO_SUITE_HAS(1)
#include "backends/test_backend_primitives.hpp"
// The runner of golden cases is a few sources; here they are compiled into the program.
#include "conformance/case.cpp"
#include "conformance/compare.cpp"
#include "conformance/options.cpp"
#include "conformance/registry.cpp"
#include "conformance/runner.cpp"
#include "conformance/suite.hpp"
#endif

#if CAUSALDPO_SUITE_HAS(2)
#include "algorithms/test_batched_gemm.hpp"
#include "algorithms/test_exposure_model.hpp"
#include "algorithms/test_fused_linear_logps.hpp"
#include "algorithms/test_fused_linear_logps_half.hpp"
#include "algorithms/test_soft_assignment.hpp"
#include "algorithms/test_softmax_rows.hpp"
#endif

#if CAUSALDPO_SUITE_HAS(3)
#include "algorithms/test_preference_loss.hpp"
#include "algorithms/test_preference_metrics.hpp"
#endif

#if CAUSALDPO_SUITE_HAS(4)
#include "algorithms/test_adjusted_loss.hpp"
#include "algorithms/test_causal_dpo_objective.hpp"
#include "algorithms/test_conditional_preference.hpp"
#endif

#if CAUSALDPO_SUITE_HAS(5)
#include "algorithms/test_gmm_em.hpp"
#include "algorithms/test_gmm_initialize.hpp"
#include "algorithms/test_gmm_posterior.hpp"
#include "algorithms/test_gmm_select.hpp"
#include "algorithms/test_mmd_penalty.hpp"
#include "algorithms/test_vrex_penalty.hpp"
#endif

#if CAUSALDPO_SUITE_HAS(6)
#include "algorithms/test_build_preference_pairs.hpp"
#include "algorithms/test_ranking_metrics.hpp"
#include "algorithms/test_sample_environments.hpp"
#include "algorithms/test_sample_negatives.hpp"
#endif

#if CAUSALDPO_SUITE_HAS(7)
#include "algorithms/test_contract.hpp"
#endif

#if CAUSALDPO_SUITE_HAS(8)
#include "conformance/entry.hpp"
#include "conformance/ops/adjusted_loss.hpp"
#include "conformance/ops/causal_dpo_objective.hpp"
#include "conformance/ops/conditional_preference.hpp"
#include "conformance/ops/exposure_model.hpp"
#include "conformance/ops/fused_linear_logps.hpp"
#include "conformance/ops/gmm_em.hpp"
#include "conformance/ops/mmd_penalty.hpp"
#include "conformance/ops/preference_loss.hpp"
#include "conformance/ops/ranking_metrics.hpp"
#include "conformance/ops/soft_assignment.hpp"
#include "conformance/ops/vrex_penalty.hpp"

CAUSALDPO_CONFORMANCE_ENTRY(adjusted_loss, CAUSALDPO_TEST_BACKEND, CAUSALDPO_TEST_NAME)
CAUSALDPO_CONFORMANCE_ENTRY(causal_dpo_objective, CAUSALDPO_TEST_BACKEND, CAUSALDPO_TEST_NAME)
CAUSALDPO_CONFORMANCE_ENTRY(conditional_preference, CAUSALDPO_TEST_BACKEND, CAUSALDPO_TEST_NAME)
CAUSALDPO_CONFORMANCE_ENTRY(exposure_model, CAUSALDPO_TEST_BACKEND, CAUSALDPO_TEST_NAME)
CAUSALDPO_CONFORMANCE_ENTRY(fused_linear_logps, CAUSALDPO_TEST_BACKEND, CAUSALDPO_TEST_NAME)
CAUSALDPO_CONFORMANCE_ENTRY(gmm_em, CAUSALDPO_TEST_BACKEND, CAUSALDPO_TEST_NAME)
CAUSALDPO_CONFORMANCE_ENTRY(mmd_penalty, CAUSALDPO_TEST_BACKEND, CAUSALDPO_TEST_NAME)
CAUSALDPO_CONFORMANCE_ENTRY(preference_loss, CAUSALDPO_TEST_BACKEND, CAUSALDPO_TEST_NAME)
CAUSALDPO_CONFORMANCE_ENTRY(ranking_metrics, CAUSALDPO_TEST_BACKEND, CAUSALDPO_TEST_NAME)
CAUSALDPO_CONFORMANCE_ENTRY(soft_assignment, CAUSALDPO_TEST_BACKEND, CAUSALDPO_TEST_NAME)
CAUSALDPO_CONFORMANCE_ENTRY(vrex_penalty, CAUSALDPO_TEST_BACKEND, CAUSALDPO_TEST_NAME)
#endif
