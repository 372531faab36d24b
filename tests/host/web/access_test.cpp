#include "host/web/access.h"

#include "host/base/digest.h"
#include "tests/catch.h"

using namespace moonlet::web;

namespace {

const std::string kToken(64, 'a');
const std::string kCookie = moonlet::sha256_hex("moonlet-web cookie " + kToken);

RequestHead request(const std::string& method, const std::string& path) {
  RequestHead head{
      method, path, {{"Host", "127.0.0.1:8747"}, {"Cookie", "moonlet-8747=" + kCookie}}};
  if (method == "POST") {
    head.headers.insert(
        head.headers.end(),
        {{"Content-Type", "application/json"}, {"X-Moonlet", "1"}, {"Content-Length", "2"}});
  }
  return head;
}

void set(RequestHead& head, const std::string& name, const std::string& value) {
  for (auto& header : head.headers) {
    if (header.first != name) continue;
    header.second = value;
    return;
  }
  head.headers.emplace_back(name, value);
}

int status(const Access& access, const RequestHead& head) {
  const auto refusal = access.check(head);
  return refusal ? refusal->status : 200;
}

}  // namespace

TEST_CASE("a request of the page itself is answered", "[web]") {
  const Access access(8747, kToken);
  CHECK(status(access, request("GET", "/api/about")) == 200);
  CHECK(status(access, request("POST", "/api/command/cancel")) == 200);
  auto head = request("GET", "/api/live");
  set(head, "Origin", "http://127.0.0.1:8747");
  set(head, "Sec-Fetch-Site", "same-origin");
  CHECK(status(access, head) == 200);
}

TEST_CASE("only a loopback name with the server's own port is its host", "[web]") {
  const Access access(8747, kToken);
  for (const char* host : {"localhost:8747", "[::1]:8747"}) {
    auto head = request("GET", "/");
    set(head, "Host", host);
    CHECK(status(access, head) == 200);
  }
  for (const char* host :
       {"", "evil", "evil:8747", "127.0.0.1", "127.0.0.1:8748", "127.0.0.1:8747:8747",
        "localhost:8747.evil", "127.0.0.1:08747", "LOCALHOST.evil:8747"}) {
    auto head = request("GET", "/");
    set(head, "Host", host);
    INFO(host);
    CHECK(status(access, head) == 403);
  }
}

TEST_CASE("behind a socket any port of a loopback name is the server's own", "[web]") {
  const Access access(0, kToken);
  auto head = request("GET", "/api/about");
  set(head, "Host", "localhost:9000");
  CHECK(status(access, head) == 401);  // the cookie is for another port
  set(head, "Cookie", "moonlet-9000=" + kCookie);
  CHECK(status(access, head) == 200);
  set(head, "Host", "evil:9000");
  CHECK(status(access, head) == 403);
  set(head, "Host", "localhost:9000x");
  CHECK(status(access, head) == 403);
}

TEST_CASE("a path that is not in its normal form is refused", "[web]") {
  const Access access(8747, kToken);
  for (const char* path : {"", "api", "//", "/..", "/a/../api", "/./api", "/.hidden", "/a//b",
                           "/%61", "/a b", "/a\\b", "/a;b", "http://127.0.0.1:8747/"}) {
    INFO(path);
    CHECK(status(access, request("GET", path)) == 400);
  }
  CHECK(status(access, request("GET", "/a/0123/live/app.js")) == 200);
}

TEST_CASE("a change needs JSON, the header, a length and the cookie", "[web]") {
  const Access access(8747, kToken);
  const std::vector<std::tuple<std::string, std::string, int>> cases = {
      {"Content-Type", "text/plain", 415},
      {"Content-Type", "application/json; charset=x", 415},
      {"X-Moonlet", "", 403},
      {"Content-Length", "", 411},
      {"Transfer-Encoding", "chunked", 411},
      {"Origin", "null", 403},
      {"Sec-Fetch-Site", "same-site", 403},
      {"Cookie", "moonlet-8747=" + kToken, 401},
      {"Cookie", "x=y; moonlet-8747=", 401}};
  for (const auto& [name, value, expected] : cases) {
    auto head = request("POST", "/api/command/cancel");
    set(head, name, value);
    INFO(name << ": " << value);
    CHECK(status(access, head) == expected);
  }
  auto head = request("POST", "/api/command/cancel");
  set(head, "Cookie", "other=1; moonlet-8747=" + kCookie + "; more=2");
  CHECK(status(access, head) == 200);
  CHECK(status(access, request("DELETE", "/api/command/cancel")) == 405);
}

TEST_CASE("a header that decides and occurs twice is refused", "[web]") {
  const Access access(8747, kToken);
  for (const char* name :
       {"host", "COOKIE", "Origin", "content-type", "Content-Length", "x-moonlet"}) {
    auto head = request("POST", "/api/command/cancel");
    head.headers.emplace_back(name, "x");
    head.headers.emplace_back(name, "x");
    INFO(name);
    CHECK(status(access, head) == 400);
  }
}

TEST_CASE("signing in needs no cookie, and gives one that is not the token", "[web]") {
  const Access access(8747, kToken);
  auto head = request("POST", "/api/login");
  set(head, "Cookie", "");
  CHECK(status(access, head) == 200);
  CHECK(access.is_token(kToken));
  CHECK_FALSE(access.is_token(kToken.substr(1)));
  CHECK_FALSE(access.is_token(""));
  const std::string cookie = access.set_cookie(head);
  CHECK(cookie == "moonlet-8747=" + kCookie + "; Path=/; HttpOnly; SameSite=Strict");
}

TEST_CASE("escapes of a query are read, and broken ones refused", "[web]") {
  CHECK(unescape("a%2Fb+c%c3%a9") == "a/b c\xc3\xa9");
  CHECK(unescape("") == "");
  CHECK_FALSE(unescape("%"));
  CHECK_FALSE(unescape("%4"));
  CHECK_FALSE(unescape("%zz"));
  CHECK_FALSE(unescape("a%00b"));
}
