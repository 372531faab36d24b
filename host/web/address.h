// Address is the loopback port or the Unix socket at which the page is served, together with its
// access token. A lock file in the user's state folder ensures that only one server uses the
// address. The file also stores the token, so that open pages can reconnect after the server was
// restarted. One thread.
#pragma once

#include <string>

#include "host/base/fd.h"
#include "host/base/result.h"

namespace moonlet::web {

class Address {
 public:
  /// Listens on 127.0.0.1:`port`. Port 0 takes a free port. `state` is moonlet's state folder.
  /// Fails with kInvalid if another server uses the port. The error names the server's pid.
  static Result<Address> on_port(int port, const std::string& state);
  /// Listens on a Unix socket at an absolute path, with mode 0600. Replaces a socket file on which
  /// no server listens.
  static Result<Address> on_socket(const std::string& path, const std::string& state);
  ~Address();
  Address(Address&& other) noexcept = default;

  /// Returns the port; 0 for a Unix socket.
  int port() const { return port_; }
  const std::string& token() const { return token_; }
  /// Gives the listening socket to the caller. Call this once.
  Fd take_socket() { return std::move(socket_); }
  /// Returns the URL to open. A browser does not send its fragment, which has the token.
  std::string url() const;

 private:
  Address() = default;
  Result<void> hold(const std::string& name, const std::string& shown, const std::string& state);

  Fd lock_, socket_;
  int port_ = 0;
  std::string path_, token_;
};

}  // namespace moonlet::web
