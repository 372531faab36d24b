#include "host/executor/http/http.h"

#include <curl/curl.h>

#include <algorithm>

#include "host/base/ascii.h"

namespace moonlet::executor {

namespace {

constexpr std::size_t kErrorBodyCap = 64 * 1024;
constexpr std::int64_t kSlice = 1000;  // the limits are checked at least this often, in ms
constexpr long kConnectMs = 30'000;

struct UrlParts {
  CURLU* handle = curl_url();
  ~UrlParts() { curl_url_cleanup(handle); }
  std::string get(CURLUPart part) {
    char* text = nullptr;
    if (curl_url_get(handle, part, &text, 0) != CURLUE_OK) return {};
    std::string result(text);
    curl_free(text);
    return result;
  }
};

bool loopback_host(const std::string& host) {
  if (host == "localhost" || host == "[::1]" || host == "::1") return true;
  // 127.0.0.1.example.org is not a loopback address, so accept only digits and dots.
  return host.rfind("127.", 0) == 0 && host.find_first_not_of("0123456789.") == std::string::npos;
}

}  // namespace

struct Http::Transfer {
  const HttpRequest* request;
  const Clock* clock;
  void* easy;
  HttpReply reply;
  std::int64_t last_byte_ms = 0;
  char why[CURL_ERROR_SIZE] = {};
  curl_slist* headers = nullptr;

  ~Transfer() { curl_slist_free_all(headers); }

  static std::size_t on_body(char* bytes, std::size_t, std::size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    transfer.last_byte_ms = transfer.clock->monotonic_ms();
    long status = 0;
    curl_easy_getinfo(transfer.easy, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) {
      auto& body = transfer.reply.body;
      body.append(bytes, std::min(size, kErrorBodyCap - body.size()));
      transfer.reply.stopped = body.size() == kErrorBodyCap;
    } else {
      transfer.reply.stopped = !transfer.request->on_bytes({bytes, size});
    }
    return transfer.reply.stopped ? 0 : size;
  }

  static std::size_t on_header(char* bytes, std::size_t, std::size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    transfer.last_byte_ms = transfer.clock->monotonic_ms();
    std::string line(bytes, size);
    const auto colon = line.find(':');
    if (colon == std::string::npos) return size;
    const std::string name = lower(std::string_view(line).substr(0, colon));
    const auto from = line.find_first_not_of(" \t", colon + 1);
    const auto to = line.find_last_not_of(" \t\r\n");
    transfer.reply.headers[name] =
        from == std::string::npos || to < from ? "" : line.substr(from, to - from + 1);
    return size;
  }

  /// Describes why the connection broke.
  Failure broken(CURLcode result) const {
    long sent = 0, status = 0;
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &sent);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    const char* error = why[0] != 0 ? why : curl_easy_strerror(result);
    // libcurl reports CURLE_OUT_OF_MEMORY if a header line is longer than its limit.
    if (result == CURLE_OUT_OF_MEMORY) error = "a line of the answer's head is too long";
    const std::string what = status != 0 ? "the stream broke off: "
                             : sent > 0  ? "the server gave no answer: "
                                         : "the server was not reached: ";
    return {Failure::Kind::kNetwork, what + error, static_cast<int>(status)};
  }
};

Result<bool> is_loopback(const std::string& url) {
  UrlParts parts;
  if (curl_url_set(parts.handle, CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) {
    return Error{ErrorKind::kInvalid, "OPENAI_BASE_URL is not a URL: " + url,
                 "write it like https://api.openai.com/v1 or http://127.0.0.1:8080/v1"};
  }
  const std::string scheme = parts.get(CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") {
    return Error{ErrorKind::kInvalid, "OPENAI_BASE_URL has the scheme '" + scheme + "'",
                 "write http or https"};
  }
  return loopback_host(parts.get(CURLUPART_HOST));
}

Http::Http(const Limit& limit) : limit_(limit) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  easy_ = curl_easy_init();
  multi_ = curl_multi_init();
}

Http::~Http() {
  curl_easy_cleanup(easy_);
  curl_multi_cleanup(static_cast<CURLM*>(multi_));
}

HttpReply Http::post(const HttpRequest& request) {
  Transfer transfer{&request, limit_.clock, easy_, {}, limit_.clock->monotonic_ms()};
  for (const std::string& header : request.headers) {
    transfer.headers = curl_slist_append(transfer.headers, header.c_str());
  }
  curl_easy_reset(easy_);
  const auto set = [&](auto option, auto value) { curl_easy_setopt(easy_, option, value); };
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_HTTPHEADER, transfer.headers);
  set(CURLOPT_POSTFIELDS, request.body.data());
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  set(CURLOPT_HEADERDATA, &transfer);
  set(CURLOPT_ERRORBUFFER, transfer.why);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
  set(CURLOPT_USERAGENT, "moonlet-executor/" MOONLET_VERSION);
  set(CURLOPT_EXPECT_100_TIMEOUT_MS, 0L);
  if (auto loopback = is_loopback(request.url); loopback && *loopback) set(CURLOPT_PROXY, "");

  auto* multi = static_cast<CURLM*>(multi_);
  curl_multi_add_handle(multi, easy_);
  transfer.reply.failure = wait(transfer, request);
  curl_multi_remove_handle(multi, easy_);
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  transfer.reply.status = static_cast<int>(status);
  return std::move(transfer.reply);
}

std::optional<Failure> Http::wait(Transfer& transfer, const HttpRequest& request) {
  auto* multi = static_cast<CURLM*>(multi_);
  for (;;) {
    int running = 0;
    curl_multi_perform(multi, &running);
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      if (transfer.reply.stopped || message->data.result == CURLE_OK) return std::nullopt;
      return transfer.broken(message->data.result);
    }
    const std::int64_t now = limit_.clock->monotonic_ms();
    const std::int64_t idle_at = transfer.last_byte_ms + request.idle_ms;
    if (limit_.over()) return Failure{Failure::Kind::kTimeout, "the wall limit is reached"};
    if (now >= idle_at) {
      return Failure{Failure::Kind::kNetwork, "the server sent nothing for too long"};
    }
    std::int64_t slice = std::min(kSlice, idle_at - now);
    if (limit_.deadline_ms > 0) slice = std::min(slice, limit_.deadline_ms - now);
    curl_waitfd stop{limit_.stop_fd, CURL_WAIT_POLLIN, 0};
    const unsigned watched = limit_.stop_fd >= 0 ? 1 : 0;
    curl_multi_poll(multi, &stop, watched, static_cast<int>(slice), nullptr);
    if ((stop.revents & CURL_WAIT_POLLIN) != 0) {
      return Failure{Failure::Kind::kInterrupted, "ended by a signal"};
    }
  }
}

}  // namespace moonlet::executor
