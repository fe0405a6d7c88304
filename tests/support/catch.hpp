#ifndef FAIRLEAD_TESTS_SUPPORT_CATCH_HPP
#define FAIRLEAD_TESTS_SUPPORT_CATCH_HPP

// Debian 12 has Catch2 2.13 with one header; Catch2 3 has several.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#endif
