// audit RUN_DIR BILL [--once]: compares the journal, keeper.log and the bill of a run of paid
// agents (agents/paid), line by line:
//   - a finished step does not begin again, nor does a step that failed in a run that ended well
//   - each line of the bill is in keeper.log
//   - an attempt that ended well is not followed by another, unless its answer needed a repair or
//     the disk could not take it
//   - with --once: an attempt that was under way when a process died is not followed by another
// Prints "paid N, again N" and each violation; exit 1 then.
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using nlohmann::json;

namespace {

int problems = 0;

void wrong(const std::string& text) {
  std::printf("%s\n", text.c_str());
  ++problems;
}

std::vector<json> records(const std::string& path, const char* body) {
  std::vector<json> list;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    json record = json::parse(line, nullptr, false);
    if (!record.is_object()) continue;  // torn by a kill
    if (body != nullptr) record = record.value(body, json::object());
    list.push_back(std::move(record));
  }
  return list;
}

struct Attempt {
  std::string name, why;
  int number = 0;
  bool started = false, billed = false;

  /// The attempt exited or reached a limit.
  bool complete() const {
    return why == "exited" || why == "signalled" || why == "wall" || why == "idle";
  }
};

struct Story {
  std::set<std::string> repairs;  // such as "step@2"
  std::map<std::string, std::string> done, failed;
  int overs = 0;  // how often the run ended without success

  void read(const std::vector<json>& journal) {
    for (const json& item : journal) {
      const std::string type = item.value("type", ""), key = item.value("key", "");
      if (type == "begin" && item.value("repair", false)) {
        repairs.insert(key + "@" + std::to_string(item.value("attempt", 0)));
      }
      // Failed steps are tried again after a run that did not end well.
      if (type == "over" && item.value("verdict", "") != "ok") {
        failed.clear();
        ++overs;
      }
      if (type != "begin" && type != "end") continue;
      for (auto* ended : {&done, &failed}) {
        const auto before = ended->find(key);
        if (before == ended->end()) continue;
        const bool same = before->second == item.value("input_hash", "");
        wrong(key + " is over, and there is another " + type + (same ? "" : " with another input"));
      }
      const std::string status = item.value("status", "");
      if (status == "ok") done[key] = item.value("input_hash", "");
      if (status == "failed") failed[key] = item.value("input_hash", "");
    }
  }
};

// The attempts of each step, in the order in which they were started.
using Attempts = std::map<std::string, std::vector<Attempt>>;

Attempts attempts_of(const std::vector<json>& log, const std::set<std::string>& billed,
                     std::set<std::string>& known) {
  Attempts all;
  std::string token;
  std::map<std::uint64_t, Attempt*> of_this_keeper;
  for (const json& record : log) {
    const std::string type = record.value("record", "");
    const std::uint64_t n = record.value("n", std::uint64_t{0});
    if (type == "keeper") {
      token = record.value("token", "");
      of_this_keeper.clear();
    } else if (type == "start") {
      const std::string name = record.value("attempt", "");
      // Only paid steps have numbered attempts.
      if (name.find('@') == std::string::npos) continue;
      auto& list = all[record.value("step", "")];
      list.reserve(64);  // other maps point at the elements
      Attempt attempt;
      attempt.name = name;
      attempt.started = true;
      const std::string mark = token + "/" + std::to_string(n);
      attempt.billed = billed.count(mark) != 0;
      known.insert(mark);
      list.push_back(attempt);
      of_this_keeper[n] = &list.back();
    } else if (type == "exit") {
      const auto found = of_this_keeper.find(n);
      if (found != of_this_keeper.end()) {
        found->second->why = record.value("why", "");
        if (record.value("code", 0) != 0) found->second->why = "failed";
        // The keeper could not write the answer to the disk.
        if (record.contains("out_errno")) found->second->why = "lost its answer";
      }
    }
  }
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const std::string folder = argv[1];
  const bool once = argc > 3 && std::string(argv[3]) == "--once";
  std::set<std::string> billed, known;
  std::map<std::string, std::string> key_of;
  std::ifstream bill(argv[2]);
  for (std::string line; std::getline(bill, line);) {
    std::istringstream words(line);
    std::string what, key, mark;
    words >> what >> key >> mark;
    if (what == "start") billed.insert(mark);
    key_of[mark] = key;
  }
  Story story;
  story.read(records(folder + "/steps.jsonl", "body"));
  const Attempts all = attempts_of(records(folder + "/keeper.log", nullptr), billed, known);
  for (const std::string& mark : billed) {
    if (known.count(mark) == 0) wrong(key_of[mark] + " was paid, and no keeper tells of it");
  }
  int paid = 0, again = 0;
  for (const auto& [step, list] : all) {
    const Attempt* before = nullptr;
    for (const Attempt& attempt : list) {
      ++paid;
      const bool repair = story.repairs.count(attempt.name) != 0;
      if (before != nullptr && !(repair && attempt.name != before->name)) {
        ++again;
        if (before->complete())
          wrong(attempt.name + " was started, though " + before->name + " had " + before->why);
        if (once && !(before->why == "failed" && story.overs > 1))
          wrong(attempt.name + " was started after " + before->name + " (" + before->why + ")");
      }
      before = &attempt;
    }
  }
  std::printf("paid %d, again %d\n", paid, again);
  return problems == 0 ? 0 : 1;
}
