#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <random>
#include <thread>
#include <vector>

#include "host/executor/http/chat.h"
#include "host/executor/http/failure.h"
#include "host/executor/http/http.h"
#include "host/executor/http/responses.h"
#include "host/executor/http/sse.h"
#include "tests/catch.h"

using namespace moonlet::executor;
using nlohmann::json;

namespace {

using Events = std::vector<std::pair<std::string, std::string>>;

Events parse(const std::string& text, const std::vector<std::size_t>& cuts) {
  Events events;
  SseParser parser([&](const SseEvent& event) { events.emplace_back(event.name, event.data); });
  std::size_t at = 0;
  for (const std::size_t cut : cuts) {
    parser.feed(std::string_view(text).substr(at, cut - at));
    at = cut;
  }
  parser.feed(std::string_view(text).substr(at));
  parser.finish();
  return events;
}

// Parses server-sent events as the standard defines them: first lines, then fields.
Events parse_by_lines(std::string text) {
  if (text.rfind("\xEF\xBB\xBF", 0) == 0) text.erase(0, 3);
  std::vector<std::string> lines{""};
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' || text[i] == '\n') {
      if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') ++i;
      lines.emplace_back();
    } else {
      lines.back() += text[i];
    }
  }
  if (!lines.back().empty()) lines.emplace_back();
  lines.emplace_back();
  Events events;
  std::string name, data;
  bool any = false;
  for (const std::string& line : lines) {
    if (line.empty()) {
      if (any) events.emplace_back(name, data.substr(0, data.size() - 1));
      name.clear();
      data.clear();
      any = false;
      continue;
    }
    const auto colon = line.find(':');
    std::string value = colon == std::string::npos ? "" : line.substr(colon + 1);
    if (!value.empty() && value[0] == ' ') value.erase(0, 1);
    if (line.substr(0, colon) == "data") {
      data += value + "\n";
      any = true;
    } else if (line.substr(0, colon) == "event") {
      name = value;
    }
  }
  return events;
}

Turn read_all(TurnReader& reader, const std::vector<std::string>& events) {
  for (const auto& event : events) reader.take("", event);
  reader.ended(false);
  return reader.turn();
}

std::string chunk(const json& delta, const json& finish = nullptr) {
  return json{{"choices", {{{"index", 0}, {"delta", delta}, {"finish_reason", finish}}}}}.dump();
}

}  // namespace

TEST_CASE("executor sse: random streams in random pieces are read as the format says") {
  std::mt19937 random(7);
  const auto pick = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const std::vector<std::string> parts = {"data: {\"a\":1}",
                                          "data:x",
                                          "data",
                                          "event: done",
                                          ": comment",
                                          "\n",
                                          "\r\n",
                                          "\r",
                                          "\n\n",
                                          "id: 7",
                                          "retry: 5",
                                          "\xEF\xBB\xBF",
                                          "data:  two",
                                          "\xC3",
                                          ":",
                                          "event:",
                                          "da",
                                          "ta: z"};
  for (int round = 0; round < 4000; ++round) {
    std::string text;
    for (std::size_t n = pick(20); n > 0; --n) text += parts[pick(parts.size())];
    std::vector<std::size_t> cuts;
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (pick(3) == 0) cuts.push_back(at);
    }
    INFO(json(text).dump(-1, ' ', true, json::error_handler_t::replace));
    CHECK(parse(text, cuts) == parse_by_lines(text));
  }
}

TEST_CASE("executor sse: bytes of any kind end in events or nothing, never in a crash") {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    std::string text(random() % 3000, ' ');
    for (char& c : text)
      c = static_cast<char>(random() % 5 == 0 ? "\n\r:d"[random() % 4] : random());
    ResponsesReader responses;
    ChatReader chat;
    SseParser parser([&](const SseEvent& event) {
      responses.take(event.name, event.data);
      chat.take(event.name, event.data);
    });
    parser.feed(text);
    parser.finish();
    chat.ended(false);
    CHECK(!responses.done());
  }
}

TEST_CASE("executor sse: an event beyond the cap ends the stream") {
  SseParser parser([](const SseEvent&) {});
  const std::string piece(1 << 20, 'x');
  CHECK(parser.feed("data: "));
  bool more = true;
  for (int i = 0; more && i < 64; ++i) more = parser.feed(piece);
  CHECK(!more);
}

TEST_CASE("executor responses: items are carried whole, reasoning with its content") {
  ResponsesReader reader;
  const json reasoning = {{"type", "reasoning"}, {"id", "rs_1"}, {"encrypted_content", "abc"}};
  const json bare = {{"type", "reasoning"}, {"id", "rs_2"}, {"summary", json::array()}};
  const json call = {{"type", "function_call"},
                     {"call_id", "c1"},
                     {"name", "Read"},
                     {"arguments", "{\"path\":\"a\"}"}};
  for (const json& item : {reasoning, bare, call}) {
    reader.take("", json{{"type", "response.output_item.done"}, {"item", item}}.dump());
  }
  CHECK(!reader.done());
  reader.take("", json{{"type", "response.completed"},
                       {"response",
                        {{"usage",
                          {{"input_tokens", 10},
                           {"output_tokens", 4},
                           {"input_tokens_details", {{"cached_tokens", 3}}},
                           {"output_tokens_details", {{"reasoning_tokens", 2}}}}}}}}
                      .dump());
  REQUIRE(reader.done());
  CHECK(reader.turn().items == json::array({reasoning, call}));
  const auto calls = open_calls(reader.turn().items);
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].arguments == "{\"path\":\"a\"}");
  CHECK(reader.turn().usage.cached == 3);
  CHECK(reader.turn().usage.reasoning == 2);
}

TEST_CASE("executor responses: an item that nests deeper than a session may is refused") {
  const auto reader_of = [](int depth) {
    ResponsesReader reader;
    const std::string item =
        R"({"type":"message","a":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
    reader.take("", R"({"type":"response.output_item.done","item":)" + item + "}");
    return reader;
  };
  CHECK(reader_of(63).failure());
  ResponsesReader reader = reader_of(62);
  REQUIRE(!reader.failure());
  const json session = {{"items", reader.turn().items}, {"outcome", json::array({json::array()})}};
  CHECK(moonlet::parse_json(session.dump(), moonlet::kRecordJsonLimits).ok());
}

TEST_CASE("executor responses: a failed stream says whether to try again") {
  const std::vector<std::pair<std::string, Failure::Kind>> codes = {
      {"server_error", Failure::Kind::kNetwork},
      {"rate_limit_exceeded", Failure::Kind::kRate},
      {"insufficient_quota", Failure::Kind::kQuota},
      {"context_length_exceeded", Failure::Kind::kContext},
      {"invalid_prompt", Failure::Kind::kRefused}};
  for (const auto& [code, kind] : codes) {
    ResponsesReader reader;
    reader.take("", json{{"type", "response.failed"},
                         {"response", {{"error", {{"code", code}, {"message", "m"}}}}}}
                        .dump());
    REQUIRE(reader.failure());
    CHECK(reader.failure()->kind == kind);
  }
}

TEST_CASE("executor chat: calls come by index, in pieces, whole, or without any index") {
  ChatReader pieces;
  Turn turn = read_all(
      pieces, {chunk({{"tool_calls",
                       {{{"index", 0},
                         {"id", "a"},
                         {"function", {{"name", "Read"}, {"arguments", "{\"pa"}}}}}}}),
               chunk({{"tool_calls",
                       {{{"index", 1},
                         {"id", "b"},
                         {"function", {{"name", "Glob"}, {"arguments", "{}"}}}}}}}),
               chunk({{"tool_calls", {{{"index", 0}, {"function", {{"arguments", "th\":1}"}}}}}}}),
               chunk(json::object(), "stop")});
  REQUIRE(pieces.done());
  auto calls = open_calls(turn.items);
  REQUIRE(calls.size() == 2);
  CHECK(calls[0].arguments == "{\"path\":1}");
  CHECK(calls[1].name == "Glob");

  ChatReader without;
  turn = read_all(
      without, {chunk({{"tool_calls", {{{"function", {{"name", "Read"}, {"arguments", "{"}}}}}}}),
                chunk({{"tool_calls", {{{"function", {{"arguments", "}"}}}}}}}),
                chunk({{"tool_calls", {{{"function", {{"name", "Glob"}, {"arguments", "{}"}}}}}}}),
                "[DONE]"});
  calls = open_calls(turn.items);
  REQUIRE(calls.size() == 2);
  CHECK(calls[0].arguments == "{}");
  CHECK(!calls[0].id.empty());
  CHECK(calls[0].id != calls[1].id);
}

TEST_CASE("executor chat: a stream that ends without a reason is not an answer") {
  ChatReader reader;
  read_all(reader, {chunk({{"content", "half"}})});
  CHECK(!reader.done());
  ChatReader failed;
  read_all(failed, {R"({"error":{"message":"overloaded","code":503}})"});
  REQUIRE(failed.failure());
  CHECK(may_retry(*failed.failure()));
  ChatReader named;
  named.take("error", R"({"type":"insufficient_quota","message":"the credit is used up"})");
  REQUIRE(named.failure());
  CHECK(named.failure()->kind == Failure::Kind::kQuota);
  CHECK(named.failure()->message == "the model's answer failed: the credit is used up");
}

TEST_CASE("executor chat: one turn is one message with its calls, and outputs follow") {
  Request request;
  request.items = json::array(
      {{{"type", "message"},
        {"role", "user"},
        {"content", {{{"type", "input_text"}, {"text", "go"}}}}},
       {{"type", "reasoning"}, {"encrypted_content", "x"}},
       {{"type", "message"},
        {"role", "assistant"},
        {"content", {{{"type", "output_text"}, {"text", "hm"}}}}},
       {{"type", "function_call"}, {"call_id", "1"}, {"name", "Read"}, {"arguments", "{}"}},
       {{"type", "function_call"}, {"call_id", "2"}, {"name", "Glob"}, {"arguments", "{}"}},
       {{"type", "function_call_output"}, {"call_id", "1"}, {"output", "one"}},
       {{"type", "function_call_output"}, {"call_id", "2"}, {"output", "two"}}});
  const json messages = chat_body(request, {})["messages"];
  REQUIRE(messages.size() == 5);
  CHECK(messages[1]["content"] == "go");
  CHECK(messages[2]["content"] == "hm");
  CHECK(messages[2]["tool_calls"].size() == 2);
  CHECK(messages[4]["tool_call_id"] == "2");
}

TEST_CASE(
    "executor responses: items of any shape are refused or made whole, and counts do not "
    "overflow") {
  ResponsesReader reader;
  const std::vector<json> items = {json(nullptr),
                                   json::array(),
                                   json::object(),
                                   {{"type", 5}},
                                   {{"type", "function_call_output"}, {"call_id", "c"}},
                                   {{"type", "function_call"}, {"name", 7}, {"call_id", {1}}},
                                   {{"type", "message"}, {"content", "plain"}},
                                   {{"type", "message"}, {"content", {nullptr, 5, {{"text", 7}}}}}};
  for (const json& item : items) {
    reader.take("", json{{"type", "response.output_item.done"}, {"item", item}}.dump());
  }
  const json usage = {{"input_tokens", INT64_MAX}, {"output_tokens", UINT64_MAX}};
  reader.take("", json{{"type", "response.completed"}, {"response", {{"usage", usage}}}}.dump());
  REQUIRE(reader.done());
  const Turn& turn = reader.turn();
  REQUIRE(turn.items.size() == 3);
  CHECK(open_calls(turn.items).size() == 1);
  Said said;
  for (const json& item : turn.items) said.add(item);
  CHECK(said.text == "plain");
  CHECK(turn.items[1]["role"] == "assistant");
  Usage sum;
  for (int i = 0; i < 1000; ++i) sum += turn.usage;
  CHECK(sum.input > 0);
  CHECK(sum.output > 0);
  Request request;
  request.items = turn.items;
  const json messages = chat_body(request, {})["messages"];
  CHECK(messages[1]["tool_calls"][0]["function"]["name"] == "");
}

TEST_CASE("executor chat: calls with any index stay apart, and a flood of them is refused") {
  ChatReader reader;
  const auto call = [](const json& index, const char* arguments) {
    json value = {{"function", {{"name", "Read"}, {"arguments", arguments}}}};
    if (!index.is_null()) value["index"] = index;
    return value;
  };
  const Turn turn =
      read_all(reader, {chunk({{"tool_calls",
                                {call(INT64_MIN, "a"), call(nullptr, "b"), call(-1, "c"),
                                 call(-2, "d"), call(INT64_MIN, "e"), nullptr, 7}}}),
                        chunk(json::object(), "tool_calls")});
  const auto calls = open_calls(turn.items);
  REQUIRE(calls.size() == 4);
  CHECK(calls[0].arguments == "ae");
  CHECK(calls[1].arguments == "b");

  ChatReader flood;
  for (int i = 0; i < 2000 && !flood.failure(); ++i) {
    flood.take("", chunk({{"tool_calls", {call(i, "{}")}}}));
  }
  REQUIRE(flood.failure());
  CHECK(!may_retry(*flood.failure()));
}

TEST_CASE("executor failure: headers say how long to wait") {
  CHECK(retry_after({{"retry-after", "2"}}, 0) == 2000);
  CHECK(retry_after({{"retry-after-ms", "150"}, {"retry-after", "9"}}, 0) == 150);
  CHECK(retry_after({{"retry-after", "Thu, 01 Jan 1970 00:00:10 GMT"}}, 4000) == 6000);
  CHECK(retry_after({{"x-ratelimit-reset-tokens", "1m30s"}, {"x-ratelimit-remaining-tokens", "0"}},
                    0) == 90'000);
  CHECK(retry_after({{"x-ratelimit-reset-tokens", "1m"}, {"x-ratelimit-remaining-tokens", "5"}},
                    0) == -1);
  CHECK(retry_after({{"retry-after", "soon"}}, 0) == -1);
  CHECK(retry_after({{"retry-after-ms", "inf"}, {"retry-after", "nan"}}, 0) == -1);
  CHECK(retry_after({{"retry-after-ms", "-5"}, {"retry-after", "3"}}, 0) == 3000);
  const Failure asked{Failure::Kind::kRate, "", 429, 1234};
  CHECK(pause_of(asked, 1, 0.5) == 1234);
  const Failure silent{Failure::Kind::kNetwork, ""};
  CHECK(pause_of(silent, 1, 1) == 500);
  CHECK(pause_of(silent, 3, 1) == 2000);
  CHECK(pause_of(silent, 50, 1) == 30'000);
}

TEST_CASE("executor failure: the status and the provider's words give its kind") {
  const auto kind = [](int status, const char* body) {
    return failure_of(status, {}, body, 0).kind;
  };
  using Kind = Failure::Kind;
  CHECK(kind(429, R"({"error":{"code":"rate_limit_exceeded"}})") == Kind::kRate);
  CHECK(kind(429, R"({"error":{"code":"insufficient_quota"}})") == Kind::kQuota);
  CHECK(kind(400, R"({"error":{"code":"context_length_exceeded"}})") == Kind::kContext);
  CHECK(kind(400, R"({"error":{"message":"the request exceeds the available context size"}})") ==
        Kind::kContext);
  CHECK(kind(404, "Not Found") == Kind::kNoSuchApi);
  CHECK(kind(404, R"({"error":{"code":"model_not_found"}})") == Kind::kRefused);
  CHECK(kind(401, "") == Kind::kAuth);
  CHECK(kind(503, "<html>") == Kind::kNetwork);
  CHECK(kind(400, "{}") == Kind::kRefused);
  const auto moved = failure_of(302, {{"location", "http://other/"}}, "", 0);
  CHECK(moved.kind == Kind::kRefused);
  CHECK(moved.message ==
        "the server answered 302; it redirects to http://other/, which is not followed");
}

TEST_CASE(
    "executor http: a truncated answer is reported as truncated, not as an unreachable server") {
  const auto ask = [](const std::string& answer) {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof place;
    REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&place), size) == 0);
    REQUIRE(::listen(listener, 1) == 0);
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&place), &size);
    std::thread server([&] {
      const int peer = ::accept(listener, nullptr, nullptr);
      char request[4096];
      (void)::recv(peer, request, sizeof request, 0);
      for (std::size_t at = 0; at < answer.size();) {
        const auto sent = ::send(peer, answer.data() + at, answer.size() - at, MSG_NOSIGNAL);
        if (sent <= 0) break;
        at += static_cast<std::size_t>(sent);
      }
      ::close(peer);
    });
    Http http(Limit{&moonlet::system_clock(), 0, -1});
    HttpRequest request;
    request.url = "http://127.0.0.1:" + std::to_string(ntohs(place.sin_port));
    request.body = "{}";
    request.on_bytes = [](std::string_view) { return true; };
    HttpReply reply = http.post(request);
    server.join();
    ::close(listener);
    REQUIRE(reply.failure);
    return reply.failure->message;
  };
  CHECK(ask("").find("the server gave no answer: Empty reply") == 0);
  CHECK(ask("HTTP/1.1 200 OK\r\nX: " + std::string(4 << 20, 'y')) ==
        "the stream broke off: a line of the answer's head is too long");
}

TEST_CASE("executor http: this machine is distinguished from names that look like it") {
  for (const char* url : {"http://127.0.0.1:1/v1", "http://localhost/v1", "http://[::1]:8/v1",
                          "http://127.8.8.8/v1"}) {
    INFO(url);
    CHECK(*is_loopback(url));
  }
  for (const char* url : {"https://api.openai.com/v1", "http://127.0.0.1.example.org/v1",
                          "http://localhost.example.org", "http://127.0.0.1@example.org/v1"}) {
    INFO(url);
    CHECK(!*is_loopback(url));
  }
  CHECK(!is_loopback("file:///etc/passwd"));
  CHECK(!is_loopback("nonsense"));
}
