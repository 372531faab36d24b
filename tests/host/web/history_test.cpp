#include "host/web/history.h"

#include <stdlib.h>
#include <unistd.h>

#include "host/base/json.h"
#include "host/web/event_file.h"
#include "tests/catch.h"

using namespace moonlet;
using namespace moonlet::web;

namespace {

std::string line(int number, const std::string& type, const std::string& step,
                 const std::string& data = "{}") {
  return "{\"data\":" + data + ",\"number\":" + std::to_string(number) + ",\"run\":\"R-001\"" +
         (step.empty() ? "" : ",\"step\":" + json_text(step)) + ",\"ts\":\"2026-01-01T00:00:0" +
         std::to_string(number % 10) + ".000Z\",\"type\":\"" + type + "\"}\n";
}

struct Folder {
  Folder() {
    char name[] = "/tmp/moonlet-web-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() {
    ::unlink((path + "/events.jsonl").c_str());
    ::rmdir(path.c_str());
  }
  Dir write(const std::string& text) {
    auto dir = Dir::open(path);
    REQUIRE(dir);
    REQUIRE(dir->write_file("events.jsonl", text, Durable::kNo));
    return std::move(*dir);
  }
  std::string path;
};

}  // namespace

TEST_CASE("only whole lines of events are given, and a torn one is passed over", "[web]") {
  Folder folder;
  auto dir = folder.write(line(1, "phase", "") + "{\"data\":{},\"num\n" + line(2, "log", "") +
                          "{\"data\"");
  EventFile file(std::move(*dir.open_read("events.jsonl")));
  CHECK(file.next()->number == 1);
  CHECK(file.next()->number == 2);
  CHECK_FALSE(file.next());
  auto more = dir.open_append("events.jsonl");
  REQUIRE(more);
  const std::string rest = ":{},\"number\":3,\"run\":\"R-001\",\"ts\":\"\",\"type\":\"log\"}\n";
  REQUIRE(::write(more->get(), rest.data(), rest.size()) == static_cast<ssize_t>(rest.size()));
  CHECK(file.next()->number == 3);
}

TEST_CASE("a line that is not JSON is not passed on", "[web]") {
  Folder folder;
  auto dir = folder.write(line(1, "log", "") + "{\"data\":{oops},\"number\":2,\"type\":\"log\"}\n" +
                          "{\"data\":1,\r\"number\":3,\"type\":\"log\"}\n" + line(4, "log", ""));
  const auto events = events_json(dir, {});
  REQUIRE(events);
  const auto json = parse_json(*events);
  REQUIRE(json);
  REQUIRE((*json)["events"].size() == 2);
  CHECK((*json)["events"][1]["number"] == 4);
}

TEST_CASE("an endless line does not fill the memory", "[web]") {
  Folder folder;
  auto dir =
      folder.write(line(1, "log", "") + std::string(40 << 20, ',') + "\n" + line(2, "log", ""));
  EventFile file(std::move(*dir.open_read("events.jsonl")));
  CHECK(file.next()->number == 1);
  CHECK(file.next()->number == 2);
  CHECK_FALSE(file.next());
}

TEST_CASE("fields inside an event's data are not taken for its own", "[web]") {
  const std::string text = line(
      7, "plan", "real",
      R"({"number":1,"steps":[{"a":1,"number":2,"step":"x","type":"y"}],"text":",\"number\":9"})");
  Folder folder;
  auto dir = folder.write(text);
  EventFile file(std::move(*dir.open_read("events.jsonl")));
  const auto event = file.next();
  REQUIRE(event);
  CHECK(event->number == 7);
  CHECK(last_field(event->text, "type") == "plan");
  CHECK(last_field(event->text, "step") == "real");
}

TEST_CASE("events become a table of steps, and a resume ends the open ones", "[web]") {
  Folder folder;
  auto dir = folder.write(
      line(1, "phase", "", R"({"name":"look"})") +
      line(2, "step.started", "a", R"({"kind":"agent"})") +
      line(3, "step.started", "b\"<", R"({"kind":"exec"})") +
      line(4, "step.finished", "a",
           R"({"kind":"agent","status":"ok","usage":{"total_tokens":12,"cost_usd":0.5}})") +
      line(5, "run.resumed", "") +
      line(6, "step.finished", "a", R"({"kind":"agent","status":"ok","cached":true})") +
      line(7, "step.finished", "new", R"({"kind":"agent","status":"ok","cached":true})") +
      line(8, "step.started", "b\"<", R"({"kind":"exec"})"));
  auto text = steps_json(dir);
  REQUIRE(text);
  auto json = parse_json(*text);
  REQUIRE(json);
  CHECK((*json)["number"] == 8);
  const auto& steps = (*json)["steps"];
  REQUIRE(steps.size() == 4);
  CHECK(steps[0][0] == "a");
  CHECK(steps[0][3] == "ok");
  CHECK(steps[0][12] == 12);
  CHECK(steps[1][0] == "b\"<");
  CHECK(steps[1][8] == 0);
  CHECK(steps[2][0] == "new");
  CHECK(steps[2][9] == 1);
  CHECK(steps[3][7] == 1);
  CHECK(steps[3][8] == 1);
}

TEST_CASE("events come in pages, the newest last", "[web]") {
  Folder folder;
  std::string all;
  for (int i = 1; i <= 50; ++i)
    all += line(i, i % 2 == 0 ? "log" : "warning", i % 5 == 0 ? "s" : "");
  auto dir = folder.write(all);
  const auto numbers = [&](const EventQuery& query) {
    std::vector<int> list;
    auto json = parse_json(*events_json(dir, query));
    for (const auto& event : (*json)["events"]) list.push_back(event["number"].get<int>());
    return list;
  };
  EventQuery query;
  query.limit = 3;
  CHECK(numbers(query) == std::vector<int>{48, 49, 50});
  query.before = 48;
  CHECK(numbers(query) == std::vector<int>{45, 46, 47});
  query = {};
  query.step = "s";
  query.types = "log";
  CHECK(numbers(query) == std::vector<int>{10, 20, 30, 40, 50});
}
