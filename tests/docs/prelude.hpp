#ifndef FAIRLEAD_TESTS_DOCS_PRELUDE_HPP
#define FAIRLEAD_TESTS_DOCS_PRELUDE_HPP

// In front of each fragment of code in README.md and docs/: the names that prose takes for granted. Declared only, for
// fragments are compiled and not linked.
#include <fairlead.hpp>

#include <cstddef>
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

extern asio::io_context context;
extern fairlead::server server;
extern fairlead::session ws;
extern const fairlead::request head;

#endif
