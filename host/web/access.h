// Access decides whether the page's server may answer a request.
// Checks the path, host, origin and credential. Reads only the request's head. Pure, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moonlet::web {

/// RequestHead is the head of a request. Its texts are still escaped.
struct RequestHead {
  std::string method;
  std::string path;  ///< without the query
  std::vector<std::pair<std::string, std::string>> headers;

  /// Returns a header's value, or "" if it is missing. The name's letter case is ignored.
  std::string_view header(std::string_view name) const;
};

struct Refusal {
  int status = 403;
  std::string message;
};

class Access {
 public:
  /// Port 0 means a Unix socket. Any port of a loopback name is then allowed, because `ssh -L` and
  /// proxies choose a port. `token` is the secret that `moonlet web` prints.
  Access(int port, std::string token);

  /// Returns the reason to refuse the request; no value if it may be answered.
  std::optional<Refusal> check(const RequestHead& head) const;
  /// Returns true for the token that the page was opened with.
  bool is_token(std::string_view text) const;
  /// Returns the header `Set-Cookie` for a page that has presented the token.
  std::string set_cookie(const RequestHead& head) const;

 private:
  bool is_own_host(std::string_view host) const;
  std::string cookie_name(const RequestHead& head) const;
  bool has_cookie(const RequestHead& head) const;

  int port_;
  std::string token_;
  std::string cookie_;  ///< derived from the token, so that a cookie does not reveal it
};

/// Decodes "%41+b" to "A b". Returns no value for a malformed escape or a NUL.
std::optional<std::string> unescape(std::string_view text);

}  // namespace moonlet::web
