// Queries the newest 50 of a million runs of one task, as `moonlet run list` does.
//   ledger_list DIR RUNS TIMES
// DIR is made and filled once, in one transaction. Each query then runs TIMES times: through the
// host's Ledger, and as the bare query by SQLite's C interface that reads every column. Prints a
// line for each: milliseconds (median, least, greatest), the ratio to the bare query, and the
// query.
#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "host/artifact/ledger/ledger.h"
#include "host/base/id.h"

namespace {

using namespace moonlet;

struct Question {
  const char* name;
  RunFilter filter;
  std::string where;  ///< the condition of the bare query
};

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "ledger_list: %s\n", why.c_str());
  std::exit(1);
}

double seconds_of(const std::function<void()>& fn) {
  const auto start = std::chrono::steady_clock::now();
  fn();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void fill(Ledger& ledger, long runs) {
  const auto filled = ledger.rebuild([&]() -> Result<void> {
    for (long i = 1; i <= runs; ++i) {
      LedgerRun run;
      run.id = numbered_id('R', static_cast<std::uint64_t>(i));
      run.task_id = "T-001";
      run.preset = i % 7 == 0 ? "sidecar" : "triangulated-review";
      run.title = "a title of an ordinary length";
      run.runner = "codex";
      run.status = "finished";
      run.verdict = i % 1000 == 0 ? "failed" : "ok";
      run.exit_code = i % 1000 == 0 ? 1 : 0;
      run.started_at = 1'795'000'000'000 + i * 1000;
      run.duration_ms = 1000;
      run.dir = "sidecars/triangulated-review-20261121T031200Z-1a2b";
      if (auto put = ledger.put_run(run); !put) return put;
    }
    return {};
  });
  if (!filled) fail(filled.error().message);
}

class Bare {
 public:
  explicit Bare(const std::string& file) {
    if (sqlite3_open_v2(file.c_str(), &db_, SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK) {
      fail("cannot open " + file);
    }
  }
  ~Bare() { sqlite3_close(db_); }

  std::size_t ask(const std::string& where) {
    const std::string sql = "SELECT * FROM runs " + where + " ORDER BY number DESC LIMIT 50";
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
      fail(sqlite3_errmsg(db_));
    }
    std::size_t bytes = 0;
    while (sqlite3_step(statement) == SQLITE_ROW) {
      const int columns = sqlite3_column_count(statement);
      for (int i = 0; i < columns; ++i) {
        bytes += sqlite3_column_text(statement, i) != nullptr;
        bytes += static_cast<std::size_t>(sqlite3_column_bytes(statement, i));
      }
    }
    sqlite3_finalize(statement);
    return bytes;
  }

 private:
  sqlite3* db_ = nullptr;
};

void report(const char* who, std::vector<double>& times, double limit, const char* what) {
  std::sort(times.begin(), times.end());
  const double middle = times[times.size() / 2];
  std::printf("  %-30s %9.3f %9.3f %9.3f %8.2f  %s\n", who, middle * 1e3, times.front() * 1e3,
              times.back() * 1e3, middle / limit, what);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) fail("usage: ledger_list DIR RUNS TIMES");
  const long runs = std::atol(argv[2]);
  const int times = std::atoi(argv[3]);
  auto agent = Dir::make(argv[1]);
  if (!agent) fail(agent.error().message);
  Ledger ledger(*agent);
  const double filled = seconds_of([&] { fill(ledger, runs); });
  std::printf("  %ld runs filled in %.1f s\n", runs, filled);
  const Question questions[] = {
      {"of one task", {.task = "T-001"}, "WHERE task_id = 'T-001'"},
      {"of one task, that failed",
       {.task = "T-001", .verdict = "failed"},
       "WHERE task_id = 'T-001' AND verdict = 'failed'"},
      {"that failed", {.verdict = "failed"}, "WHERE verdict = 'failed'"},
      {"that replay one run", {.parent = "R-001"}, "WHERE parent_run_id = 'R-001'"},
      {"of one preset", {.preset = "sidecar"}, "WHERE preset = 'sidecar'"},
      {"of all", {}, ""},
      {"that run (none)", {.status = "running"}, "WHERE status = 'running'"},
  };
  Bare bare(agent->path_of("ledger.db"));
  std::printf("  %-30s %9s %9s %9s %8s\n", "", "ms", "min", "max", "x limit");
  for (const Question& question : questions) {
    std::vector<double> host, limit;
    for (int i = 0; i <= times; ++i) {
      // The two take turns, and the first round does not count.
      const double by_bare = seconds_of([&] { (void)bare.ask(question.where); });
      const double by_host = seconds_of([&] {
        if (auto listed = ledger.list_runs(question.filter, 50); !listed) {
          fail(listed.error().message);
        }
      });
      if (i == 0) continue;
      limit.push_back(by_bare);
      host.push_back(by_host);
    }
    std::sort(limit.begin(), limit.end());
    const double middle = limit[limit.size() / 2];
    report("bare SQLite query (the limit)", limit, middle, question.name);
    report("moonlet, C++ (Ledger)", host, middle, question.name);
  }
}
