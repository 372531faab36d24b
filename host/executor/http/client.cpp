#include "host/executor/http/client.h"

#include <poll.h>

#include <algorithm>
#include <memory>
#include <random>

#include "host/base/json.h"
#include "host/base/text.h"
#include "host/executor/http/chat.h"
#include "host/executor/http/responses.h"
#include "host/executor/http/sse.h"

namespace moonlet::executor {

namespace {

constexpr int kTries = 6;
constexpr std::size_t kAnswerCap = 64 << 20;  // the most bytes accepted in an answer
constexpr std::size_t kHeadBytes = 200;       // bytes of a malformed answer that an error quotes

std::unique_ptr<TurnReader> reader_for(Api api) {
  if (api == Api::kChat) return std::make_unique<ChatReader>();
  return std::make_unique<ResponsesReader>();
}

double jitter() {
  static std::minstd_rand random{std::random_device{}()};
  return std::uniform_real_distribution<double>{0, 1}(random);
}

}  // namespace

const char* to_string(Api api) {
  return api == Api::kChat ? "chat" : api == Api::kResponses ? "responses" : "";
}

Api api_from(std::string_view name) {
  return name == "chat" ? Api::kChat : name == "responses" ? Api::kResponses : Api::kUnknown;
}

Client::Client(const Limit& limit, ClientOptions options, ClientEvents events)
    : limit_(limit), http_(limit), options_(std::move(options)), events_(std::move(events)) {}

std::variant<Turn, Failure> Client::ask(const Request& request) {
  for (int tries = 1;; ++tries) {
    auto answer = ask_either(request);
    auto* failure = std::get_if<Failure>(&answer);
    if (failure == nullptr || !may_retry(*failure) || tries >= kTries) return answer;
    const std::int64_t ms = pause_of(*failure, tries, jitter());
    if (limit_.deadline_ms > 0 && limit_.clock->monotonic_ms() + ms >= limit_.deadline_ms) {
      failure->message += "; the next try would come after the wall limit";
      failure->retry_after_ms = ms;
      return answer;
    }
    events_.retry(*failure, tries, ms);
    if (!pause(ms)) return Failure{Failure::Kind::kInterrupted, "ended by a signal"};
  }
}

std::variant<Turn, Failure> Client::ask_either(const Request& request) {
  const bool probing = options_.api == Api::kUnknown;
  Api api = probing ? Api::kResponses : options_.api;
  Failure first;
  for (;;) {
    auto answer = ask_once(request, api);
    auto* failure = std::get_if<Failure>(&answer);
    if (failure == nullptr) {
      options_.api = api;
      return answer;
    }
    if (failure->kind == Failure::Kind::kRefused && drop_field(*failure, api)) continue;
    if (failure->kind != Failure::Kind::kNoSuchApi) return answer;
    if (!probing || api == Api::kChat) {
      failure->kind = Failure::Kind::kRefused;
      failure->message += probing ? "; it has neither " + options_.base_url + "/responses nor " +
                                        options_.base_url + "/chat/completions"
                                  : "";
      return answer;
    }
    api = Api::kChat;
  }
}

// Leaves an optional field out of later requests if the server's error names it.
bool Client::drop_field(const Failure& failure, Api api) {
  if (failure.status != 400 && failure.status != 422) return false;
  static constexpr const char* kOptional[] = {
      "reasoning_effort", "reasoning", "parallel_tool_calls", "stream_options",
      "prompt_cache_key", "include",   "tool_choice",         "store"};
  for (const char* field : kOptional) {
    const bool other = (field == std::string_view("reasoning_effort")) != (api == Api::kChat) &&
                       std::string_view(field).substr(0, 9) == "reasoning";
    if (other || failure.message.find(field) == std::string::npos) continue;
    if (!dropped_.insert(field).second) continue;
    events_.warning(std::string("the server does not know the field ") + field +
                    ": it is left out");
    return true;
  }
  return false;
}

std::variant<Turn, Failure> Client::ask_once(const Request& request, Api api) {
  auto reader = reader_for(api);
  bool streams = true, decided = false, any = false;
  std::size_t seen = 0;
  std::string whole, head;
  SseParser parser([&](const SseEvent& event) {
    any = true;
    reader->take(event.name, event.data);
  });

  HttpRequest http;
  http.url = options_.base_url + (api == Api::kChat ? "/chat/completions" : "/responses");
  http.headers = {"Content-Type: application/json", "Accept: text/event-stream"};
  if (!options_.key.empty()) http.headers.push_back("Authorization: Bearer " + options_.key);
  http.body = json_text(api == Api::kChat ? chat_body(request, dropped_)
                                          : responses_body(request, dropped_));
  http.idle_ms = options_.idle_ms;
  http.on_bytes = [&](std::string_view bytes) {
    if ((seen += bytes.size()) > kAnswerCap) return false;
    if (head.size() < kHeadBytes) head += bytes.substr(0, kHeadBytes - head.size());
    if (!decided) {
      const auto first = bytes.find_first_not_of(" \t\r\n");
      if (first == std::string_view::npos) return true;
      // A server that does not support streaming answers with a single JSON object.
      streams = bytes[first] != '{';
      decided = true;
    }
    if (streams) return parser.feed(bytes) && !reader->done() && !reader->failure();
    whole += bytes;
    return true;
  };
  const HttpReply reply = http_.post(http);
  const bool whole_reply = !reply.failure && !reply.stopped;
  if (!reply.failure && reply.status != 200) {
    return failure_of(reply.status, reply.headers, reply.body, limit_.clock->wall_ms());
  }
  if (whole_reply && !streams) {
    auto body = parse_json(whole, kWireJson);
    if (!body || !body->is_object()) {
      return Failure{Failure::Kind::kNetwork, "the server's answer is not JSON", reply.status};
    }
    reader->take_whole(*body);
  } else if (whole_reply) {
    parser.finish();
    if (!reader->done()) reader->ended(false);
  }
  if (reader->failure()) {
    Failure failure = *reader->failure();
    if (failure.retry_after_ms < 0) {
      failure.retry_after_ms = retry_after(reply.headers, limit_.clock->wall_ms());
    }
    return failure;
  }
  if (reader->done()) return std::move(reader->turn());
  if (seen > kAnswerCap || parser.overflow()) {
    return Failure{
        Failure::Kind::kInvalid,
        std::string("the server's answer has no end: ") + (parser.overflow() ? "one event" : "it") +
            " is larger than " +
            std::to_string((parser.overflow() ? SseParser::kEventCap : kAnswerCap) >> 20) + " MB",
        reply.status};
  }
  if (whole_reply && !any) {
    return Failure{Failure::Kind::kNetwork,
                   seen == 0 ? "the server's answer is empty"
                             : "the server's answer is neither JSON nor a stream of events: " +
                                   printable(head, kHeadBytes),
                   reply.status};
  }
  if (reply.failure) return *reply.failure;
  return Failure{Failure::Kind::kNetwork, "the stream ended before the answer did", reply.status};
}

bool Client::pause(std::int64_t ms) {
  pollfd stop{limit_.stop_fd, POLLIN, 0};
  const std::int64_t until = limit_.clock->monotonic_ms() + ms;
  for (;;) {
    const std::int64_t left = until - limit_.clock->monotonic_ms();
    if (left <= 0) return true;
    ::poll(&stop, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    if ((stop.revents & POLLIN) != 0) return false;
  }
}

}  // namespace moonlet::executor
