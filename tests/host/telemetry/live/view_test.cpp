#include "host/telemetry/live/view.h"

#include <cstdint>
#include <set>
#include <string>

#include "host/telemetry/live/text.h"
#include "host/telemetry/live/width.h"
#include "tests/catch.h"

using namespace moonlet;

namespace {

constexpr std::int64_t kStart = 1795230720000;

/// A run that the test reports event by event.
class EventFeed {
 public:
  EventFeed() { emit(EventType::kRunStarted, {}, {{"preset", "review"}, {"runner", "codex"}}); }

  EventFeed& emit(EventType type, const std::string& step, nlohmann::json fields) {
    model.apply({type, now, "R-007", step, std::move(fields)});
    return *this;
  }
  EventFeed& phase(const std::string& name, int planned = 0) {
    return emit(EventType::kPhase, {}, {{"name", name}, {"planned", planned}});
  }
  EventFeed& start(const std::string& key, const std::string& kind = "agent",
                   const std::string& runner = "codex") {
    const bool asked = kind == "agent" && runner != "mock";
    if (!asked) unasked_.insert(key);
    return emit(EventType::kStepStarted, key,
                {{"kind", kind}, {"runner", runner}, {"asked", asked}});
  }
  EventFeed& finish(const std::string& key, const std::string& status = "ok",
                    nlohmann::json more = nlohmann::json::object()) {
    nlohmann::json fields = {{"kind", "agent"}, {"status", status}, {"duration_ms", 2100}};
    fields.update(more);
    fields["asked"] = unasked_.count(key) == 0;
    fields["paid"] = unasked_.count(key) == 0 && !fields.contains("cached");
    return emit(EventType::kStepFinished, key, fields);
  }
  EventFeed& end(const std::string& verdict) {
    return emit(EventType::kRunFinished, {}, {{"verdict", verdict}});
  }
  EventFeed& wait(std::int64_t ms) {
    now += ms;
    return *this;
  }
  std::vector<std::string> seen(int width = 80, int height = 24) const {
    auto lines = texts(render_live(model, {width, height}, now), width);
    // The last line of a view that has room for it says how to stop.
    if (!lines.empty() && lines.back() == "^C stops, and keeps what is done") lines.pop_back();
    return lines;
  }
  std::vector<std::string> last(int width = 80) const {
    return texts(render_final(model, {width, 24}, now), width);
  }

  LiveModel model;
  std::int64_t now = kStart;

 private:
  std::set<std::string> unasked_;  // steps that ask no model
  static std::vector<std::string> texts(const std::vector<LiveLine>& lines, int width) {
    std::vector<std::string> out;
    for (const auto& line : lines) {
      CHECK(line.columns == display_width(line.text));
      CHECK(line.columns <= width);
      out.push_back(line.text);
    }
    return out;
  }
};

nlohmann::json usage(std::int64_t tokens, double usd, const char* is = "reported") {
  return {{"usage", {{"total_tokens", tokens}, {"cost_usd", usd}, {"cost_is", is}}}};
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("the live view shows nothing before a run has begun") {
  LiveModel model;
  CHECK(render_live(model, {}, kStart).empty());
  CHECK(render_final(model, {}, kStart).empty());
  CHECK_FALSE(model.apply({EventType::kLog, kStart, "R-007", "", {{"text", "hello"}}}));
}

TEST_CASE("the live view is a tree of phases and steps") {
  EventFeed feed;
  feed.phase("facts", 1).start("exec", "exec", "").wait(40);
  feed.finish("exec", "ok", {{"kind", "exec"}, {"duration_ms", 40}});
  feed.phase("review", 4).start("parallel/bugs/agent").start("parallel#2/style/style");
  feed.start("parallel/tests/agent").wait(12'300);
  feed.finish("parallel/bugs/agent", "ok", usage(12'345, 0.4));
  feed.finish("parallel#2/style/style", "failed", {{"error", "exit code 3"}, {"attempts", 2}});
  CHECK(feed.seen() ==
        Lines{
            "review R-007 \u00b7 12s \u00b7 codex",
            "agents: 1 running, 1 failed, 1 ok \u00b7 12.3k+ tokens, $0.40 and what is unknown",
            "\u2713 facts 1/1",
            "  \u2713 exec               40ms",
            "\u25cf review 1/4, 1 failed",
            "  \u2713 bugs      codex    2.1s  12.3k tokens, $0.40",
            "  \u2717 style     codex    2.1s  2 attempts: exit code 3",
            "  \u25cf tests     codex     12s",
        });
  feed.wait(1000).finish("parallel/tests/agent", "ok", usage(1'000, 0.0123)).end("degraded");
  CHECK(feed.last() == Lines{"\u2713 facts 1/1", "\u2717 review 2/4, 1 failed"});
}

TEST_CASE("the live view shows the spending of each step") {
  EventFeed feed;
  feed.finish("a", "ok",
              {{"runner", "codex"}, {"cached", true}, {"usage", {{"total_tokens", 900}}}});
  feed.start("b").finish("b", "ok", usage(50, 0.001, "estimate"));
  feed.start("c").emit(EventType::kLog, "c", {{"text", "waiting for it"}, {"taken_over", true}});
  feed.start("d", "agent", "mock").finish("d", "ok");
  feed.start("e").finish("e");
  feed.start("f").emit(EventType::kWarning, "f", {{"text", "429"}, {"retry_in_ms", 5000}});
  feed.start("g", "gate").finish("g", "parked", {{"kind", "gate"}, {"error", "?"}});
  const auto lines = feed.seen(100);
  REQUIRE(lines.size() == 9);
  CHECK(lines[1] ==
        "agents: 2 running, 3 ok \u00b7 50+ tokens, ~$0.0010 and what is unknown, 900 before");
  CHECK(lines[2] == "\u2713 a         codex    2.1s  900 tokens, cached");
  CHECK(lines[3] == "\u2713 b         codex    2.1s  50 tokens, ~$0.0010");
  CHECK(lines[4] == "\u25cf c         codex      0s  taken over");
  CHECK(lines[5] == "\u2713 d         mock     2.1s  nothing spent");
  CHECK(lines[6] == "\u2713 e         codex    2.1s");
  CHECK(lines[7] == "\u25cf f         codex      0s  asks again in 5s");
  CHECK(lines[8] == "? g         codex    2.1s  waits for a person");
  feed.wait(6000);
  CHECK(feed.seen()[7] == "\u25cf f         codex      6s");
}

TEST_CASE("the live view shows the present action of an agent") {
  EventFeed feed;
  feed.start("a").start("b");
  feed.emit(EventType::kProgress, "a", {{"doing", "shell: make"}, {"tokens", 12'345}});
  feed.emit(EventType::kProgress, "c", {{"doing", "of no step"}, {"tokens", 1}});
  auto lines = feed.seen(100);
  REQUIRE(lines.size() == 3);
  CHECK(lines[1] == "\u25cf a         codex      0s  12.3k tokens so far, shell: make");
  CHECK(lines[2] == "\u25cf b         codex      0s");
  feed.emit(EventType::kProgress, "a", {{"doing", ""}, {"tokens", 20'000}});
  CHECK(feed.seen(100)[1] == "\u25cf a         codex      0s  20.0k tokens so far");
  feed.finish("a", "ok");
  CHECK(feed.seen(100)[1] == "\u2713 a         codex    2.1s");
}

TEST_CASE("the words of a program that prints colour are plain") {
  EventFeed feed;
  feed.start("a").emit(EventType::kProgress, "a",
                       {{"doing", "\x1b[31mred 4\x1b[0m \x1b]0;HACK\x07\r"}});
  CHECK(feed.seen()[1] == "\u25cf a         codex      0s  red 4 ");
}

TEST_CASE("the live view shows the rest of each budget") {
  EventFeed feed;
  feed.emit(
      EventType::kBudget, {},
      {{"left", {{"agents", 8}, {"tokens", 152'000}, {"usd", 3.58}}}, {"wall_left_ms", 90'000}});
  feed.start("a").wait(31'000);
  const auto lines = feed.seen();
  CHECK(lines[0] == "review R-007 \u00b7 31s \u00b7 codex");
  CHECK(lines[1] == "agents: 1 running \u00b7 left: 8 agents, 152.0k tokens, $3.58, 59s");
  feed.model.runner.clear();
  CHECK(feed.seen(120)[0] ==
        "review R-007 \u00b7 31s \u00b7 agents: 1 running \u00b7 left: 8 agents, 152.0k "
        "tokens, "
        "$3.58, 59s");
}

TEST_CASE("two hundred agents have a place on 24 lines") {
  EventFeed feed;
  feed.phase("ask", 200);
  feed.emit(EventType::kProgress, {}, {{"name", "parallel"}, {"planned", 200}});
  for (int i = 1; i <= 188; ++i) {
    const auto key = "parallel/lens-" + std::to_string(i) + "/agent";
    feed.start(key);
    if (i <= 180) feed.finish(key, i % 60 == 7 ? "failed" : "ok");
  }
  const auto lines = feed.seen(80, 22);
  REQUIRE(lines.size() == 22);
  CHECK(lines[1] == "\u25cf ask 177/200, 3 failed");
  for (int i = 0; i < 8; ++i) {
    CHECK(lines[2 + i].find("\u25cf lens-" + std::to_string(181 + i)) == 2);
  }
  CHECK(lines[10].find("\u2717 lens-127") == 2);
  CHECK(lines[12].find("\u2717 lens-7 ") == 2);
  CHECK(lines[13].find("\u2713 lens-180") == 2);
  CHECK(lines[21] == "  \u2026 169 ok, 12 waiting");

  SECTION("what is running comes first on few lines, and the rest is counted") {
    const auto few = feed.seen(40, 6);
    REQUIRE(few.size() == 6);
    CHECK(few[1] == "agents: 8 running, 3 failed, 177 ok");
    CHECK(few[5] == "  \u2026 6 running, 3 failed, 177 ok, 12 wai\u2026");
  }
  SECTION("every size holds what it shows") {
    for (int width = 1; width <= 130; width += 3) {
      for (int height = 1; height <= 60; ++height) {
        const auto shown = feed.seen(width, height);
        REQUIRE(shown.size() <= static_cast<std::size_t>(height));
        REQUIRE_FALSE(shown.empty());
      }
    }
  }
  SECTION("branches that will never begin do not wait for ever") {
    feed.emit(EventType::kProgress, {}, {{"name", "parallel"}, {"ended", true}});
    CHECK(feed.model.waiting(0) == 0);
  }
  SECTION("the final form is short") {
    feed.end("degraded");
    CHECK(feed.last().size() == 1);
  }
}

TEST_CASE("the live view keeps a bounded part of an endless run") {
  EventFeed feed;
  for (int i = 0; i < 20'000; ++i) {
    feed.phase("phase " + std::to_string(i / 50));
    feed.start("step " + std::to_string(i), "exec");
    feed.finish("step " + std::to_string(i), i % 2 == 0 ? "ok" : "failed", {{"kind", "exec"}});
  }
  CHECK(feed.model.phases.size() == 100);
  std::size_t kept = 0;
  std::size_t begun = 0;
  for (const auto& phase : feed.model.phases) {
    kept += phase.steps.size();
    begun += phase.begun();
  }
  CHECK(begun == 20'000);
  CHECK(kept <= 100 * 128);
  CHECK(feed.model.phases.back().steps.size() <= 128);
  CHECK(feed.seen().size() == 24);
  CHECK(feed.end("failed").last().size() <= 33);
}

TEST_CASE("the live view passes nothing on that a terminal would obey") {
  EventFeed feed;
  feed.emit(EventType::kRunStarted, {}, {{"preset", "p\x1b[2J\u202e"}, {"runner", "r\r\n"}});
  feed.phase("a\x1b]0;title\x07 b\n").start("x\x9b\x08/\xff\xc2\x9b", "agent", "\x1b[31m");
  feed.finish("x\x9b\x08/\xff\xc2\x9b", "failed", {{"error", "line\nline \x1b[8mhidden"}});
  for (const auto* lines : {new Lines(feed.seen(200)), new Lines(feed.end("\x1bq").last(200))}) {
    for (const auto& line : *lines) {
      INFO(line);
      for (const char c : line) CHECK((static_cast<unsigned char>(c) >= 0x20 && c != 0x7f));
      CHECK(line.find("\u202e") == std::string::npos);
      CHECK(line.find("\xc2\x9b") == std::string::npos);
    }
    delete lines;
  }
}

TEST_CASE("the live view counts no agent where answers are made up") {
  EventFeed feed;
  feed.emit(EventType::kBudget, {}, {{"left", {{"tokens", 600'000}}}, {"wall_left_ms", 60'000}});
  feed.start("a", "agent", "mock").finish("a", "ok", {{"runner", "mock"}});
  feed.start("b", "agent", "mock").finish("b", "failed");
  CHECK(feed.seen(120)[0] == "review R-007 \u00b7 0s \u00b7 codex \u00b7 left: 1m00s");
  CHECK(feed.seen()[1] == "\u2713 a         mock    2.1s  nothing spent");
  feed.start("d");
  CHECK(feed.seen(120)[0] ==
        "review R-007 \u00b7 0s \u00b7 codex \u00b7 agents: 1 running \u00b7 left: 600.0k tokens, "
        "1m00s");
}

TEST_CASE("a phase counts its successes and says how the other steps ended") {
  EventFeed feed;
  feed.phase("look", 4).start("a").start("b").start("c").start("d");
  feed.finish("a", "cancelled").finish("b", "cancelled").finish("c", "parked");
  CHECK(feed.seen(120)[1] == "\u25cf look 0/4, 1 parked, 2 cancelled");
  feed.finish("d").end("cancelled");
  CHECK(feed.last() == Lines{"? look 1/4, 1 parked, 2 cancelled"});
}

TEST_CASE("messages are wrapped, and have the step's plain name") {
  const auto lines = [](EventType type, const std::string& step, nlohmann::json fields, int width,
                        bool unicode = true) {
    LiveStyle style;
    style.width = width;
    style.unicode = unicode;
    return render_message({type, kStart, "R-007", step, std::move(fields)}, style);
  };
  CHECK(lines(EventType::kWarning, "parallel/src%2Fa.lua/src%2Fa.lua",
              {{"text", "the agent said nothing"}, {"retry_in_ms", 5}},
              24) == Lines{"! src/a.lua: the agent", "  said nothing"});
  CHECK(lines(EventType::kLog, {}, {{"text", "a\n  b   c\x1b[2J\rd\n"}}, 80) ==
        Lines{"\u00b7 a", "    b   cd"});
  CHECK(lines(EventType::kLog, {}, {{"text", "x"}}, 80, false) == Lines{"- x"});
  CHECK(lines(EventType::kWarning, {}, {{"text", "3 of 4"}, {"reported", true}}, 80).empty());
  CHECK(lines(EventType::kLog, {}, {{"text", 7}}, 80).empty());
  const auto cut = lines(EventType::kLog, {}, {{"text", std::string(9000, 'x')}}, 1002);
  REQUIRE(cut.size() == 5);
  CHECK(cut.back() == "  \u2026");
}

TEST_CASE("the live view takes events of any shape") {
  LiveModel model;
  const nlohmann::json shapes[] = {nullptr,
                                   7,
                                   "text",
                                   nlohmann::json::array({1, 2}),
                                   {{"name", 1}, {"planned", "x"}, {"kind", {}}, {"status", 3}},
                                   {{"planned", 1e300}, {"duration_ms", -1e300}, {"usage", 5}},
                                   {{"left", {{"usd", "x"}}}, {"wall_left_ms", 1e18}}};
  for (const auto& kind : kEventKinds) {
    for (const auto& fields : shapes) {
      model.apply({*event_type(kind.name), kStart, "R-007", "key", fields});
      (void)render_live(model, {80, 24}, kStart);
      (void)render_final(model, {80, 24}, kStart);
    }
  }
  CHECK(model.agents[0] == 0);
}

TEST_CASE("the live view counts wide names by their columns") {
  EventFeed feed;
  feed.phase("\u8a55\u4fa1", 2).start("\u65e5\u672c\u8a9e\u306e\u540d\u524d").start("cafe\u0301");
  for (int width = 10; width <= 80; ++width) feed.seen(width);
  const auto lines = feed.seen();
  CHECK(lines[2] == "  \u25cf \u65e5\u672c\u8a9e\u306e\u540d\u524d  codex      0s");
  CHECK(lines[3] == "  \u25cf cafe\u0301          codex      0s");
}

TEST_CASE("a terminal without UTF-8 is shown marks that it knows") {
  EventFeed feed;
  feed.phase("ask").start("a").start("b").finish("b");
  for (const auto& line : render_live(feed.model, {30, 24, false, false}, feed.now)) {
    for (const char c : line.text) CHECK(static_cast<unsigned char>(c) < 0x80);
  }
}

TEST_CASE("colours do not count as columns") {
  EventFeed feed;
  feed.phase("ask").start("a").finish("a", "failed", {{"error", "no"}}).start("b");
  const auto plain = render_live(feed.model, {40, 24, false, true}, feed.now);
  const auto coloured = render_live(feed.model, {40, 24, true, true}, feed.now);
  REQUIRE(plain.size() == coloured.size());
  for (std::size_t i = 0; i < plain.size(); ++i) {
    CHECK(plain[i].columns == coloured[i].columns);
    std::string bare;
    for (std::size_t at = 0; at < coloured[i].text.size(); ++at) {
      if (coloured[i].text[at] == '\x1b') {
        at = coloured[i].text.find('m', at);
      } else {
        bare += coloured[i].text[at];
      }
    }
    CHECK(bare == plain[i].text);
  }
}

TEST_CASE("durations and counts are short") {
  CHECK(time_text(-5, false) == "0ms");
  CHECK(time_text(40, false) == "40ms");
  CHECK(time_text(40, true) == "0s");
  CHECK(time_text(3'240, false) == "3.2s");
  CHECK(time_text(3'240, true) == "3s");
  CHECK(time_text(65'000, true) == "1m05s");
  CHECK(time_text(2 * 3'600'000 + 180'000, false) == "2h03m");
  CHECK(count_text(0) == "0");
  CHECK(count_text(999) == "999");
  CHECK(count_text(1'000) == "1.0k");
  CHECK(count_text(999'999) == "999.9k");
  CHECK(count_text(1'340'000) == "1.3M");
  CHECK(money_text(0, false) == "$0.00");
  CHECK(money_text(0.0123, true) == "~$0.0123");
  CHECK(money_text(12.345, false) == "$12.35");
}
