#ifndef FAIRLEAD_TESTS_SUPPORT_CERTIFICATES_HPP
#define FAIRLEAD_TESTS_SUPPORT_CERTIFICATES_HPP

#include <fairlead/net/link/tls.hpp>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

// Certificates for tests, made anew in each run, so that none lies in the tree to expire.
namespace certificates {

using namespace std::chrono_literals;

/// What a certificate says.
struct subject {
  std::string name;                      ///< Also that of its files.
  std::vector<std::string> dns{};        ///< It is for these names,
  std::vector<std::string> addresses{};  ///< and these addresses.
  std::chrono::seconds from = -1h;       ///< From now.
  std::chrono::seconds until = 24h;
};

/// Makes certificates and writes them to a folder. Throws std::runtime_error.
class authority {
 public:
  /// \param folder  Made when it is not there.
  explicit authority(std::filesystem::path folder, std::string name = "fairlead test authority");
  ~authority();

  /// Its own certificate, to be trusted.
  const std::filesystem::path& file() const;

  /// A certificate that this authority signs.
  fairlead::tls_certificate issue(const subject& s) const;

  /// One that vouches for itself.
  fairlead::tls_certificate issue_self_signed(const subject& s) const;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// The pin of a certificate, as tls_client_options wants it.
std::string pin_of(const std::filesystem::path& certificate);

/// A folder that goes with the object.
class temporary_folder {
 public:
  temporary_folder();
  ~temporary_folder();
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

/// What most tests need: an authority and the certificate of this machine.
struct usual {
  usual();

  temporary_folder folder;
  authority trusted;
  fairlead::tls_certificate localhost;  ///< For localhost, 127.0.0.1 and ::1.

  fairlead::tls_server_context server() const;
  fairlead::tls_client_context client() const;

  /// Made once for a program.
  static const usual& instance();
};

}  // namespace certificates

#endif
