// Address is the place where the page is served, a loopback port or a Unix socket, with its token.
// A locked file in the user's state folder gives an address to a single server.
// The file also stores the token, so that a page can reconnect to a restarted server. One thread.
#pragma once

#include <string>

#include "host/base/fd.h"
#include "host/base/result.h"

namespace moonlet::web {

class Address {
 public:
  /// Listens on 127.0.0.1:`port`; 0 takes any free port. `state` is moonlet's state folder.
  /// Fails with kInvalid and the owner's pid if another server has the port.
  static Result<Address> on_port(int port, const std::string& state);
  /// Listens on a socket at an absolute path, with mode 0600. Replaces a socket without a server.
  static Result<Address> on_socket(const std::string& path, const std::string& state);
  ~Address();
  Address(Address&& other) noexcept = default;

  /// Returns the port; 0 for a Unix socket.
  int port() const { return port_; }
  const std::string& token() const { return token_; }
  /// Returns the listening socket. Call once.
  Fd take_socket() { return std::move(socket_); }
  /// Returns the address for a browser. The token is in the fragment, which browsers do not send.
  std::string url() const;

 private:
  Address() = default;
  Result<void> hold(const std::string& name, const std::string& shown, const std::string& state);

  Fd lock_, socket_;
  int port_ = 0;
  std::string path_, token_;
};

}  // namespace moonlet::web
