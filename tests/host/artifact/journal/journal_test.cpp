#include "host/artifact/journal/journal.h"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "host/artifact/journal/body.h"
#include "host/base/digest.h"
#include "tests/catch.h"
#include "tests/host/artifact/journal/fixture.h"

using namespace moonlet;
using namespace moonlet::test;

namespace {

/// Returns a journal of `count` records, each in its own commit.
std::string journal_of(JournalRun& run, int count) {
  JournalDriver driver;
  REQUIRE(driver.open(run.dir()).message.empty());
  for (int i = 1; i <= count; ++i) REQUIRE(driver.append(numbered_body(i)).ok());
  driver.journal.reset();
  return slurp(run.file());
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end == std::string::npos ? text.size() : end + 1;
  }
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

}  // namespace

TEST_CASE("records come back in order, numbered from one") {
  JournalRun run;
  {
    JournalDriver driver;
    REQUIRE(driver.open(run.dir()).message.empty());
    CHECK(driver.seen.empty());
    std::vector<std::shared_ptr<JournalWrite>> writes;
    for (int i = 1; i <= 100; ++i) {
      writes.push_back(i % 3 == 0 ? driver.journal->append_relaxed(numbered_body(i))
                                  : driver.journal->append(numbered_body(i)));
    }
    for (int i = 0; i < 100; ++i) {
      REQUIRE(driver.wait(writes[i]).ok());
      CHECK(writes[i]->n() == static_cast<std::uint64_t>(i) + 1);
    }
    CHECK(driver.journal->records() == 100);
    CHECK(driver.journal->body(42).value() == numbered_body(42));
  }
  JournalDriver driver;
  REQUIRE(driver.open(run.dir()).message.empty());
  REQUIRE(driver.seen.size() == 100);
  for (int i = 1; i <= 100; ++i) CHECK(driver.seen[i - 1] == numbered_body(i));
  CHECK(driver.journal->found().generation == 1);
  CHECK(driver.journal->body(100).value() == numbered_body(100));
  CHECK(driver.journal->body(0).error().kind == ErrorKind::kInvalid);
  CHECK(driver.journal->body(101).error().kind == ErrorKind::kInvalid);
  REQUIRE(driver.append("{}").ok());
  CHECK(driver.journal->body(101).value() == "{}");
}

TEST_CASE("each line is JSON, carries the hash of the one before it, and can be checked by hand") {
  JournalRun run;
  std::string before = "moonlet-journal-2";
  for (const auto& text : lines_of(journal_of(run, 5))) {
    const auto line = nlohmann::json::parse(text);
    CHECK(line["previous"] == before);
    before = line["hash"];
    std::string without = text;
    const std::string field = ",\"hash\":\"" + before + "\"";
    without.erase(without.find(field), field.size());
    CHECK(sha256_hex(without).substr(0, 32) == before);
    CHECK(line["generation"] == 1);
    CHECK(line["rest_durable"] == true);
    CHECK(line["body"]["i"] == line["number"]);
  }
}

TEST_CASE("records added in one turn are committed together") {
  JournalRun run;
  JournalDriver driver;
  REQUIRE(driver.open(run.dir()).message.empty());
  std::vector<std::shared_ptr<JournalWrite>> writes;
  int completed = 0;
  for (int i = 1; i <= 64; ++i) {
    writes.push_back(driver.journal->append(numbered_body(i)));
    writes.back()->on_complete([&] { ++completed; });
  }
  CHECK(slurp(run.file()).empty());
  for (const auto& write : writes) REQUIRE(driver.wait(write).ok());
  CHECK(completed == 64);
  // Only the first line of a commit has the mark.
  const auto lines = lines_of(slurp(run.file()));
  CHECK(std::count_if(lines.begin(), lines.end(), [](const auto& line) {
          return nlohmann::json::parse(line).contains("rest_durable");
        }) == 1);
}

TEST_CASE("a long turn commits before its end") {
  JournalRun run;
  JournalDriver driver;
  REQUIRE(driver.open(run.dir()).message.empty());
  std::vector<std::shared_ptr<JournalWrite>> writes;
  for (int i = 1; i <= 256; ++i) writes.push_back(driver.journal->append_relaxed("{}"));
  while (slurp(run.file()).empty()) {
  }
  for (const auto& write : writes) CHECK(driver.wait(write).ok());
}

TEST_CASE("a relaxed record is written by itself after a while, and by a flush") {
  JournalRun run;
  FakeClock clock;
  Loop loop(clock);
  auto lock = run.lock();
  auto journal = std::move(Journal::open(run.dir(), *lock, loop).value());
  auto first = journal->append_relaxed("{\"a\":1}");
  loop.run_once(false);
  CHECK_FALSE(first->done());
  clock.advance(60);
  while (!first->done()) loop.run_once();
  CHECK(first->result().ok());
  auto second = journal->append_relaxed("{\"a\":2}");
  REQUIRE(journal->flush_blocking().ok());
  CHECK(second->done());
  // The flush put all earlier records on the disk, and the next line says so.
  auto third = journal->append("{}");
  REQUIRE(journal->flush_blocking().ok());
  const auto lines = lines_of(slurp(run.file()));
  REQUIRE(lines.size() == 3);
  CHECK_FALSE(nlohmann::json::parse(lines[1]).contains("rest_durable"));
  CHECK(nlohmann::json::parse(lines[2]).contains("rest_durable"));
}

TEST_CASE("written() completes when the records are in the file, without waiting for the disk") {
  JournalRun run;
  JournalDriver driver;
  REQUIRE(driver.open(run.dir()).message.empty());
  CHECK(driver.journal->written() == nullptr);
  (void)driver.journal->append_relaxed("{\"a\":1}");
  const auto one = driver.journal->written();
  const auto other = driver.journal->written();
  REQUIRE(one);
  REQUIRE(driver.wait(one).ok());
  REQUIRE(driver.wait(other).ok());
  CHECK(lines_of(slurp(run.file())).size() == 1);
  CHECK(driver.journal->written() == nullptr);
}

TEST_CASE("destroying a journal completes its pending writes") {
  JournalRun run;
  JournalDriver driver;
  REQUIRE(driver.open(run.dir()).message.empty());
  int completed = 0;
  auto write = driver.journal->append("{}");
  write->on_complete([&] { ++completed; });
  write->cancel();
  driver.journal.reset();
  CHECK(completed == 1);
  CHECK(write->result().ok());
  CHECK_FALSE(driver.loop.run_once(false));
}

TEST_CASE("a waiter may destroy the journal") {
  JournalRun run;
  JournalDriver driver;
  REQUIRE(driver.open(run.dir()).message.empty());
  auto first = driver.journal->append("{}");
  auto second = driver.journal->append("{}");
  first->on_complete([&] { driver.journal.reset(); });
  while (!first->done()) driver.loop.run_once();
  CHECK(second->done());
  CHECK(second->result().ok());
}

TEST_CASE("an idle journal does not keep the loop going") {
  JournalRun run;
  JournalDriver driver;
  REQUIRE(driver.open(run.dir()).message.empty());
  CHECK_FALSE(driver.loop.run_once());
  REQUIRE(driver.append("{}").ok());
  CHECK_FALSE(driver.loop.run_once());
}

TEST_CASE("a body that is not one JSON object on one line is refused, and the others are written") {
  JournalRun run;
  JournalDriver driver;
  REQUIRE(driver.open(run.dir()).message.empty());
  std::string deep = "{\"a\":";
  for (int i = 0; i < 600; ++i) deep += '[';
  for (int i = 0; i < 600; ++i) deep += ']';
  const std::vector<std::string> bad = {"",
                                        "1",
                                        "[]",
                                        "{",
                                        "{}\n",
                                        "{\"a\":\n1}",
                                        "{}{}",
                                        "{\"a\":\"\n\"}",
                                        "{\"a\":\"\xff\"}",
                                        "{\"a\":1,}",
                                        std::string("{\"a\":\"\0\"}", 9),
                                        "{\"a\":\"}",
                                        " {}",
                                        deep + "}"};
  std::vector<std::shared_ptr<JournalWrite>> writes;
  for (const auto& body : bad) {
    writes.push_back(driver.journal->append(body));
    writes.push_back(driver.journal->append("{\"fine\":true}"));
  }
  for (std::size_t i = 0; i < writes.size(); ++i) {
    const auto result = driver.wait(writes[i]);
    CHECK(result.ok() == (i % 2 == 1));
    if (!result) {
      CHECK(writes[i]->n() == 0);
      CHECK((result.error().kind == ErrorKind::kInvalid || i + 2 == writes.size()));
    }
  }
  CHECK(driver.journal->records() == bad.size());
  CHECK(verify_journal(run.dir())->records == bad.size());
}

TEST_CASE("a record of 16 MiB fits, a larger one does not") {
  JournalRun run(memory_folder());
  constexpr std::size_t kMost = std::size_t{16} << 20;
  const std::string largest = "{\"a\":\"" + std::string(kMost - 8, 'x') + "\"}";
  {
    JournalDriver driver;
    REQUIRE(driver.open(run.dir()).message.empty());
    auto refused = driver.journal->append("{\"a\":\"" + std::string(kMost - 7, 'x') + "\"}");
    CHECK(refused->done());
    CHECK(refused->result().error().kind == ErrorKind::kLimit);
    REQUIRE(largest.size() == kMost);
    REQUIRE(driver.append(largest).ok());
    REQUIRE(driver.append("{}").ok());
  }
  JournalDriver driver;
  REQUIRE(driver.open(run.dir()).message.empty());
  REQUIRE(driver.seen.size() == 2);
  CHECK(driver.seen[0] == largest);
  CHECK(driver.journal->body(1).value() == largest);
}

TEST_CASE("a torn end is cut off and kept, at every byte of the last three lines") {
  JournalRun run(memory_folder());
  const std::string whole = journal_of(run, 6);
  const auto lines = lines_of(whole);
  const std::size_t start = joined({lines[0], lines[1], lines[2]}).size();
  for (std::size_t size = start; size <= whole.size(); ++size) {
    const std::string text = whole.substr(0, size);
    spit(run.file(), text);
    // A line that lacks only its newline counts as whole.
    const bool lacks_newline = size < whole.size() && whole[size] == '\n';
    const auto newlines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    const std::size_t expected = newlines + (lacks_newline ? 1 : 0);
    const std::string torn = run.path() + "/steps.jsonl.torn-1";
    const bool is_torn = text.back() != '\n' && !lacks_newline;

    const auto report = verify_journal(run.dir()).value();
    CHECK(report.records == expected);
    CHECK_FALSE(report.damage);
    CHECK((report.torn_bytes > 0) == is_torn);

    JournalDriver driver;
    REQUIRE(driver.open(run.dir()).message.empty());
    CHECK(driver.seen.size() == expected);
    CHECK(::access(torn.c_str(), F_OK) == (is_torn ? 0 : -1));
    if (is_torn) CHECK(slurp(torn) == text.substr(text.rfind('\n') + 1));
    REQUIRE(driver.append("{\"next\":true}").ok());
    CHECK(driver.journal->body(expected + 1).value() == "{\"next\":true}");
    if (expected > 0) CHECK(driver.journal->body(expected).value() == numbered_body(expected));
    driver.journal.reset();
    const auto after = verify_journal(run.dir()).value();
    CHECK(after.records == expected + 1);
    CHECK((!after.damage && after.torn_bytes == 0));
    (void)run.dir().remove_file("steps.jsonl.torn-1");
  }
}

TEST_CASE("torn ends are kept one beside the other") {
  JournalRun run;
  journal_of(run, 1);
  for (const char* half : {"{\"n\":2,\"g\"", "{\"n"}) {
    std::ofstream(run.file(), std::ios::app) << half;
    JournalDriver driver;
    REQUIRE(driver.open(run.dir()).message.empty());
    CHECK(driver.seen.size() == 1);
  }
  CHECK(slurp(run.path() + "/steps.jsonl.torn-1") == "{\"n\":2,\"g\"");
  CHECK(slurp(run.path() + "/steps.jsonl.torn-2") == "{\"n");
}

TEST_CASE("a changed byte is found wherever it is, and nothing durable is cut for it") {
  JournalRun run(memory_folder());
  const std::string whole = journal_of(run, 4);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const char change : {'\x01', '\x20', '\x08'}) {
      std::string text = whole;
      text[at] = static_cast<char>(text[at] ^ change);
      spit(run.file(), text);
      const auto report = verify_journal(run.dir()).value();
      INFO("byte " << at << " of " << whole.size() << ": " << whole[at] << " -> " << text[at]);
      // Only a change of the last newline may look like a torn line instead of damage.
      const bool last = at + 1 == whole.size();
      REQUIRE((report.damage || (last && report.torn_bytes > 0)));
      if (report.damage) {
        const auto line = static_cast<std::uint64_t>(
            1 + std::count(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
        CHECK(report.damage->line == line);
        CHECK(report.records == line - 1);
      }
      if (change != '\x01' || last) continue;
      JournalDriver driver;
      const auto error = driver.open(run.dir());
      CHECK(error.message.find("is damaged: line ") != std::string::npos);
      CHECK(slurp(run.file()) == text);
    }
  }
}

TEST_CASE("lines that are lost, doubled, exchanged or foreign are damage") {
  JournalRun run;
  const auto good = lines_of(journal_of(run, 5));
  JournalRun other;
  const auto foreign = lines_of(journal_of(other, 6));
  const auto check = [&](std::vector<std::string> lines, std::uint64_t line) {
    spit(run.file(), joined(lines));
    const auto report = verify_journal(run.dir()).value();
    REQUIRE(report.damage);
    CHECK(report.damage->line == line);
  };
  check({good[0], good[1], good[3], good[4]}, 3);
  check({good[1], good[2]}, 1);
  check({good[0], good[1], good[1], good[2]}, 3);
  check({good[0], good[2], good[1]}, 2);
  check({good[0], "", good[1]}, 2);
  check({good[0], good[1], "{}"}, 3);
  check({good[0], good[1] + " ", good[2]}, 2);
  // Both journals have equal records, so a line of one continues the hash chain of the other.
  auto swapped = good;
  swapped[2] = foreign[2];
  spit(run.file(), joined(swapped));
  CHECK_FALSE(verify_journal(run.dir())->damage);
  std::string reused = good[0];
  reused.replace(reused.find("moonlet-journal-2"), 17, "moonlet-journal-9");
  check({reused}, 1);
}

TEST_CASE("zeros that a power cut left at the end are torn, zeros in the middle are damage") {
  JournalRun run;
  const std::string whole = journal_of(run, 4);
  const auto lines = lines_of(whole);
  const std::string zeros(5000, '\0');

  spit(run.file(), whole + zeros);
  CHECK(verify_journal(run.dir())->torn_bytes == 5000);
  spit(run.file(), whole + zeros + "\n" + zeros);
  CHECK(verify_journal(run.dir())->torn_bytes == 10001);
  {
    JournalDriver driver;
    REQUIRE(driver.open(run.dir()).message.empty());
    CHECK(driver.seen.size() == 4);
  }
  CHECK(slurp(run.file()) == whole);

  // The fourth line proves that the third one had reached the disk.
  std::string text = joined({lines[0], lines[1]}) + zeros + "\n" + lines[3] + "\n";
  spit(run.file(), text);
  CHECK(verify_journal(run.dir())->damage->line == 3);
  JournalDriver driver;
  CHECK(driver.open(run.dir()).message.find("damaged") != std::string::npos);
  CHECK(slurp(run.file()) == text);
}

TEST_CASE("an end that no torn write can explain is damage") {
  JournalRun run(memory_folder());
  const std::string whole = journal_of(run, 2);
  spit(run.file(), whole);
  REQUIRE(::truncate(run.file().c_str(), static_cast<off_t>(whole.size()) + (off_t{100} << 20)) ==
          0);
  CHECK(verify_journal(run.dir())->damage->line == 3);
  std::ofstream(run.file(), std::ios::app) << "\n";
  CHECK(verify_journal(run.dir())->records == 2);
}

TEST_CASE("lines of a holder that was taken over do not count, and are no damage") {
  JournalRun run;
  const std::string first = journal_of(run, 2);
  std::string late;
  {
    // Generation 2 writes; then generation 1, which was stopped just before its write, adds a line.
    JournalRun old;
    spit(old.file(), first);
    JournalDriver driver;
    REQUIRE(driver.open(old.dir()).message.empty());
    REQUIRE(driver.append("{\"late\":true}").ok());
    driver.journal.reset();
    late = slurp(old.file()).substr(first.size());
  }
  spit(run.path() + "/lock", "");
  REQUIRE(run.lock().ok());
  REQUIRE(run.lock().ok());
  {
    JournalDriver driver;
    REQUIRE(driver.open(run.dir()).message.empty());
    REQUIRE(driver.append("{\"new\":1}").ok());
    driver.journal.reset();
  }
  std::ofstream(run.file(), std::ios::app) << late;
  JournalDriver driver;
  REQUIRE(driver.open(run.dir()).message.empty());
  CHECK(driver.seen.size() == 3);
  CHECK(driver.journal->found().fenced == 1);
  REQUIRE(driver.append("{\"new\":2}").ok());
  driver.journal.reset();
  const auto report = verify_journal(run.dir()).value();
  CHECK(report.records == 4);
  CHECK(report.fenced == 1);
  CHECK_FALSE(report.damage);
}

TEST_CASE("a new holder writes to a copy while the old writer has the file open") {
  JournalRun run;
  JournalDriver old;
  REQUIRE(old.open(run.dir()).message.empty());
  REQUIRE(old.append("{\"old\":1}").ok());
  std::ofstream(run.file(), std::ios::app) << "{\"n\":2";
  const auto before = run.dir().stat(kJournalName)->inode;
  // Removing the lock file also takes the run away from its holder.
  REQUIRE(run.dir().remove_file("lock").ok());

  JournalDriver now;
  REQUIRE(now.open(run.dir()).message.empty());
  CHECK(now.seen == std::vector<std::string>{"{\"old\":1}"});
  CHECK(run.dir().stat(kJournalName)->inode != before);
  CHECK(slurp(run.path() + "/steps.jsonl.torn-1") == "{\"n\":2");
  REQUIRE(now.append("{\"new\":1}").ok());
  for (int i = 0; i < 2; ++i) {
    const auto refused = old.append("{\"old\":2}");
    CHECK(refused.error().kind == ErrorKind::kDenied);
    CHECK(refused.error().message.find("has taken over run R-001") != std::string::npos);
  }
  REQUIRE(now.append("{\"new\":2}").ok());
  now.journal.reset();
  old.journal.reset();
  const auto report = verify_journal(run.dir()).value();
  CHECK(report.records == 3);
  CHECK(report.generation == 2);
  CHECK_FALSE(report.damage);
  CHECK(entries_in(run.path()) == 3);
}

TEST_CASE("a journal of a newer generation than the lock is refused") {
  JournalRun run;
  REQUIRE(run.lock().ok());
  REQUIRE(run.lock().ok());
  journal_of(run, 1);
  auto lock = slurp(run.path() + "/lock");
  const std::string three = "generation 00000000000000000003";
  REQUIRE(lock.find(three) != std::string::npos);
  lock.replace(lock.find(three) + three.size() - 1, 1, "1");
  spit(run.path() + "/lock", lock);
  JournalDriver driver;
  const auto error = driver.open(run.dir());
  CHECK(error.kind == ErrorKind::kDenied);
  CHECK(error.message.find("generation 3") != std::string::npos);
  // Without a lock file, the next generation follows from the journal.
  REQUIRE(run.dir().remove_file("lock").ok());
  CHECK(run.lock()->generation() == 4);
}

TEST_CASE("a journal that another program touches gets no more records") {
  JournalRun run;
  JournalDriver driver;
  const auto begin = [&] {
    REQUIRE(driver.open(run.dir()).message.empty());
    REQUIRE(driver.append("{}").ok());
  };
  const auto refused = [&](const char* word) {
    for (int i = 0; i < 2; ++i) {
      const auto result = driver.append("{}");
      REQUIRE_FALSE(result.ok());
      CHECK(result.error().message.find(word) != std::string::npos);
    }
    driver.journal.reset();
    (void)run.dir().remove_file(kJournalName);
    (void)run.dir().remove_file("lock");
  };
  begin();
  std::ofstream(run.file(), std::ios::app) << "x";
  refused("changed");
  begin();
  REQUIRE(run.dir().remove_file(kJournalName).ok());
  refused("removed or replaced");
  begin();
  REQUIRE(run.dir().write_file(kJournalName, slurp(run.file()), Durable::kNo).ok());
  refused("removed or replaced");
  begin();
  REQUIRE(run.dir().remove_file("lock").ok());
  refused("has been removed");
}

TEST_CASE("no journal is an empty one, and a folder in its place an error") {
  JournalRun run;
  CHECK(verify_journal(run.dir())->records == 0);
  CHECK(newest_generation(run.dir()).value() == 0);
  REQUIRE(run.dir().make_dirs(kJournalName).ok());
  CHECK_FALSE(verify_journal(run.dir()).ok());
  JournalDriver driver;
  CHECK(driver.open(run.dir()).kind == ErrorKind::kInvalid);
}

TEST_CASE("a link in the place of the journal is not followed") {
  JournalRun run;
  Scratch elsewhere;
  spit(elsewhere / "mine", "text\n");
  std::filesystem::create_symlink(elsewhere / "mine", run.file());
  JournalDriver driver;
  CHECK_FALSE(driver.open(run.dir()).message.empty());
  CHECK(slurp(elsewhere / "mine") == "text\n");
}

TEST_CASE("a journal of another version is refused by name, and stays as it is") {
  JournalRun run;
  const std::string older =
      R"({"n":1,"g":1,"p":"moonlet-journal-1","h":"0123456789abcdef0123456789abcdef","body":{}})"
      "\n";
  spit(run.file(), older);
  CHECK(verify_journal(run.dir())->damage->other_format);
  JournalDriver driver;
  const auto refused = driver.open(run.dir());
  CHECK(refused.message.find("another version of moonlet began the journal") != std::string::npos);
  CHECK(refused.hint.find("resume it with the version of moonlet that started it") !=
        std::string::npos);
  CHECK(slurp(run.file()) == older);
}

TEST_CASE("large members of a body are left out when they are named, and nothing else") {
  const std::string large = "{\"a\":[1,\"]}\\\"\",{}],\"text\":\"" + std::string(400, 'x') + "\"}";
  const auto rest_of = [](const std::string& body) {
    return body_without_large(body, {"result", "raised"});
  };
  CHECK(rest_of("{\"key\":\"a,}\",\"result\":" + large + ",\"raised\":1}") ==
        "{\"key\":\"a,}\",\"raised\":1}");
  CHECK(rest_of("{\"result\":" + large + ",\"raised\":" + large + "}") == "{}");
  CHECK_FALSE(rest_of("{\"outcome\":" + large + "}"));
  CHECK_FALSE(rest_of("{\"result\":{\"text\":\"short\"},\"other\":" + large + "}"));
  CHECK_FALSE(body_without_large("{\"result\":" + large + "}", {}));
  for (const std::string damaged : {"", "{", "{}", "[]", "{\"result\":", "{\"result\":]}",
                                    "{\"result\":1}}", "{\"result\":\"", "{\"result\":[}"}) {
    CHECK_FALSE(rest_of(damaged));
    CHECK_FALSE(rest_of(damaged + large));
  }
}
