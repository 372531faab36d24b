#include "host/process/client/audit.h"

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "host/artifact/file/tree_digest.h"
#include "host/artifact/journal/read.h"
#include "host/base/digest.h"
#include "host/base/json.h"
#include "host/process/child/tree.h"
#include "host/process/wire/keeper_log.h"

namespace moonlet {

using nlohmann::json;

namespace {

std::string text_in(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// JournalFacts collects the journal's facts about a run, to compare other files with them.
/// stdlib/engine/journal/records.lua writes the fields. No other code of the host knows them.
class JournalFacts {
 public:
  void add(const JournalRecord& record) {
    auto body = parse_json(record.body, kRecordJsonLimits);
    if (!body.ok() || !body->is_object()) return;
    const std::string type = text_in(*body, "type");
    if (type == "drive" || type == "over" || type == "decision" || type == "imported") {
      marks_.push_back(std::move(*body));
      return;
    }
    if (type == "begin") {
      const auto number = body->find("attempt");
      const bool numbered = number != body->end() && number->is_number_integer();
      const int attempt = numbered ? number->get<int>() : 0;
      const std::string key = text_in(*body, "key");
      begun_[key] = attempt;
      answers_.erase(key);  // this attempt may have overwritten the file of an earlier answer
      // An attempt that began twice counts as replayed only if both records say so.
      const bool played = text_in(*body, "runner") == kCassette;
      const auto [known, is_new] = attempts_.emplace(as_logged(key, attempt), played);
      if (!is_new) known->second = known->second && played;
    }
    if (type == "remote") {
      remotes_.insert({logged_name(text_in(*body, "key")), logged_name(text_in(*body, "id"))});
    }
    if (type == "end" && text_in(*body, "status") == "ok") finish(text_in(*body, "key"), *body);
    if (type == "end" && text_in(*body, "verb") == "agent") answer(text_in(*body, "key"), *body);
    keyed_ = keyed_ || body->contains("raw") || text_in(*body, "whole").rfind("keyed:", 0) == 0;
    for (const json& value : *body) {
      if (!value.is_object()) continue;
      if (const auto name = text_in(value, "$value"); !name.empty()) values_.insert(name);
    }
  }

  /// Adds a value file that run.json refers to, so that it is checked like those of the journal.
  void expect_value(const std::string& name) { values_.insert(name); }

  json marks() { return std::move(marks_); }

  /// Returns true if the journal contains a keyed hash.
  bool keyed() const { return keyed_; }

  /// Returns a { key, sha256 } for each agent's answer, or { key, result } if it is not plain text.
  json answers() const {
    json list = json::array();
    for (const auto& [key, answer] : answers_) {
      list.push_back({{"key", key}, {answer.is_string() ? "sha256" : "result", answer}});
    }
    return list;
  }

  /// Returns the differences between the keeper's log and the journal, see audit_run().
  json differences(int run_dir_fd) const {
    auto keepers = read_keeper_log(run_dir_fd);
    if (!keepers) keepers = std::vector<LoggedKeeper>{};  // treat an unreadable log as empty
    std::set<Attempt> logged, not_started;
    json unbegun = json::array(), acted = json::array();
    const std::string boot = boot_id();
    for (const LoggedKeeper& keeper : *keepers) {
      for (const auto& [number, child] : keeper.children) {
        const Attempt attempt{child.step, child.attempt};
        if (!keeper.may_have_started(child, boot)) {
          not_started.insert(attempt);
          continue;
        }
        // Attempts with '@' in their name must not run twice, so only they have a `begin` record.
        const bool numbered = child.attempt.find('@') != std::string::npos;
        if (!logged.insert(attempt).second || !numbered) continue;
        const auto begun = attempts_.find(attempt);
        if (begun == attempts_.end()) {
          unbegun.push_back(child.attempt);
        } else if (begun->second) {
          acted.push_back(child.attempt);
        }
      }
    }
    json unlogged = json::array(), played = json::array();
    for (const auto& [key, end] : finished_) {
      const Attempt attempt = as_logged(key, end.attempt);
      // The keeper on the other machine logs a remote attempt.
      if (logged.count(attempt) != 0 || remotes_.count(attempt) != 0) continue;
      // A validation also fails if its command does not exist. Then no program was started.
      if (end.no_success && not_started.count(attempt) != 0) continue;
      (attempts_.at(attempt) ? played : unlogged)
          .push_back({{"key", key}, {"attempt", end.attempt}});
    }
    return {{"unlogged", unlogged}, {"unbegun", unbegun}, {"played", played}, {"acted", acted}};
  }

  /// Checks the files of large values. Lists missing and damaged files.
  /// Counts the value files that nothing refers to.
  json values(const Dir& run_dir, const std::atomic<bool>* stop) const {
    json missing = json::array(), damaged = json::array();
    std::set<std::string> found;
    std::uint64_t extra = 0;
    if (auto dir = run_dir.dir("values")) {
      TreeOptions all;
      all.most = SIZE_MAX;
      all.largest = all.most_bytes = UINT64_MAX;  // no limits, because the host wrote these files
      all.stop = stop;
      if (auto digest = digest_tree(*dir, all)) {
        for (const TreeEntry& entry : digest->entries) {
          if (values_.count(entry.path) == 0) {
            ++extra;
            continue;
          }
          found.insert(entry.path);
          if (entry.sha256 != entry.path) damaged.push_back(entry.path);
        }
      }
    }
    for (const std::string& name : values_) {
      if (found.count(name) == 0) missing.push_back(name);
    }
    return {{"missing", missing}, {"damaged", damaged}, {"extra", extra}};
  }

 private:
  using Attempt = std::pair<std::string, std::string>;  // step and attempt, as named in the log

  struct End {
    int attempt;
    bool no_success;  // the step has not succeeded, so a later host repeats it
  };

  static constexpr const char* kCassette = "cassette";

  static Attempt as_logged(const std::string& key, int number) {
    return {logged_name(key), logged_name(key + "@" + std::to_string(number))};
  }

  void finish(const std::string& key, const json& end) {
    const auto begun = begun_.find(key);
    if (begun == begun_.end()) return;
    finished_[key] = {begun->second, end.value("again", json()) == true};
  }

  void answer(const std::string& key, const json& end) {
    answers_.erase(key);
    const auto value = end.find("result");
    if (text_in(end, "status") != "ok" || value == end.end() || !value->is_object()) return;
    if (const auto text = value->find("text"); text == value->end()) {
      answers_[key] = *value;  // a separate file contains the text
    } else if (text->is_string()) {
      answers_[key] = sha256_hex(text->get_ref<const std::string&>());
    } else {
      answers_[key] = {{"text", *text}};
    }
  }

  json marks_ = json::array();
  bool keyed_ = false;
  std::map<std::string, json> answers_;  // the answer in the last `end` record of each step
  std::map<std::string, int> begun_;
  std::map<std::string, End> finished_;
  std::map<Attempt, bool> attempts_;  // for each begun attempt, whether a cassette played it
  std::set<Attempt> remotes_;         // attempts that went to another machine
  std::set<std::string> values_;
};

}  // namespace

Result<json> audit_run(const Dir& run_dir, const std::string& value,
                       const std::atomic<bool>* stop) {
  JournalFacts facts;
  if (!value.empty()) facts.expect_value(value);
  auto report = read_journal(run_dir, [&](const JournalRecord& record) { facts.add(record); });
  if (!report) return report.error();
  json result = {
      {"records", report->records},
      {"fenced", report->fenced},
      {"torn_bytes", report->torn_bytes},
      {"marks", facts.marks()},
      {"values", facts.values(run_dir, stop)},
      {"answers", facts.answers()},
      {"keyed", facts.keyed()},
  };
  result.update(facts.differences(run_dir.fd()));
  if (report->damage) {
    result["line"] = report->damage->line;
    result["why"] = report->damage->why;
    if (report->damage->other_format) result["other_format"] = true;
  }
  return result;
}

}  // namespace moonlet
