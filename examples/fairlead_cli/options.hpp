// The command line of fairlead-cli.
#pragma once

#include <fairlead.hpp>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

/// What the command line asks for.
struct options {
  std::string url;
  fairlead::client_options client{};
  std::vector<std::filesystem::path> files{};  ///< Sent in place of the input's lines.
  bool files_are_text = false;
  bool ping = false;      ///< Sends pings in place of messages.
  std::size_t count = 0;  ///< Messages to wait for, or pings to send; 0 for no such end.
  std::optional<std::chrono::milliseconds> wait{};
};

/// Throws std::invalid_argument, and what a tls_client_context throws; gives nothing when help was asked for.
std::optional<options> parse(int argc, char** argv);

extern const char* const usage;
