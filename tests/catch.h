// Includes Catch2: version 3 if it is installed, else 2.13, which Debian 12 has.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
