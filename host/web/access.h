// Access decides whether the web server may answer a request. It checks the path, host, origin and
// credential, and reads only the request's head. Pure, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moonlet::web {

/// RequestHead is the request line and headers of a request, not yet decoded.
struct RequestHead {
  std::string method;
  std::string path;  ///< path without the query
  std::vector<std::pair<std::string, std::string>> headers;

  /// Returns a header's value, or "" if it is missing. Ignores the case of `name`.
  std::string_view header(std::string_view name) const;
};

struct Refusal {
  int status = 403;
  std::string message;
};

class Access {
 public:
  /// `port` is 0 for a Unix socket. In that case a request may name any port of a loopback host,
  /// because `ssh -L` and proxies choose the port. `token` is the secret in the address that
  /// `moonlet web` prints.
  Access(int port, std::string token);

  /// Returns why the request must be refused, or no value if the server may answer it.
  std::optional<Refusal> check(const RequestHead& head) const;
  /// Returns true if `text` equals the token that was given to the constructor.
  bool is_token(std::string_view text) const;
  /// Returns the value of the `Set-Cookie` header for a browser that has sent the token.
  std::string set_cookie(const RequestHead& head) const;

 private:
  bool is_own_host(std::string_view host) const;
  std::string cookie_name(const RequestHead& head) const;
  bool has_cookie(const RequestHead& head) const;

  int port_;
  std::string token_;
  std::string cookie_;  ///< a hash of the token, so that the cookie does not reveal it
};

/// Decodes "%41+b" to "A b". Returns no value for a malformed escape or a NUL.
std::optional<std::string> unescape(std::string_view text);

}  // namespace moonlet::web
