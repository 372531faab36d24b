// Hub follows the events of all live runs in all work trees, and keeps a small model of each run.
// LiveBody streams server-sent events to a page: all events of the runs that the page follows, and
// changes in the models of all live runs. The id of a server-sent event has the number of the last
// event that the page has received of each run. One thread.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "host/telemetry/live/model.h"
#include "host/web/event_file.h"
#include "host/web/repo.h"
#include "host/web/server.h"

namespace moonlet::web {

class Hub {
 public:
  /// Borrows `repos`, which must outlive the hub.
  explicit Hub(std::vector<Repo>& repos) : repos_(repos) {}

  /// Reads new events and finds new runs. Cheap if nothing has changed.
  void tick();
  std::vector<Repo>& repos() { return repos_; }

  /// Returns a number that increases when a live run changes, begins or ends.
  std::uint64_t version() const { return version_; }
  /// Returns a number that increases when a run, task or decision may have come, gone or changed.
  std::uint64_t changes() const { return changes_; }
  /// Returns true if no more streams may be opened, to limit the server's descriptors and memory.
  bool is_full() const { return streams_ >= kMostStreams; }
  /// Returns {"live": [ids], "runs": […]}. "runs" has the runs that have changed since `version`.
  std::string overview(std::uint64_t version) const;

 private:
  friend class LiveBody;
  /// Limits the number of streams. A browser needs only one stream for all its tabs.
  static constexpr std::size_t kMostStreams = 64;
  struct LiveRun {
    std::size_t repo = 0;
    std::string id;
    Dir dir;  ///< the folder of the run
    EventFile file;
    LiveModel model;
    std::string state;  ///< "running", "parked" or "interrupted"
    std::uint64_t version = 0;
  };

  void find_runs(std::size_t repo);
  void read_events(LiveRun& run);
  void judge(LiveRun& run);

  std::vector<Repo>& repos_;
  std::list<LiveRun> runs_;
  /// The modification times of each repo's folders at the last check.
  std::map<std::size_t, std::vector<std::int64_t>> seen_;
  std::uint64_t version_ = 1, changes_ = 1;
  std::int64_t judged_ms_ = 0;
  std::size_t streams_ = 0;
};

class LiveBody final : public Body {
 public:
  /// `wanted` lists the runs to follow: index of the work tree, run, and number of the last event
  /// that the page has, as in "0/R-007:123,0/R-009:0".
  LiveBody(Hub& hub, const std::string& wanted);
  ~LiveBody() override { --hub_.streams_; }
  LiveBody(const LiveBody&) = delete;
  LiveBody& operator=(const LiveBody&) = delete;

  long read(char* into, std::size_t size) override;
  bool is_ready() override;

 private:
  struct Follow {
    std::size_t repo = 0;
    std::string run;
    std::uint64_t last = 0;
    EventFile file;
  };

  void fill();
  void add_events(Follow& follow);
  std::string cursor() const;

  Hub& hub_;
  std::vector<Follow> follows_;
  std::string out_;
  std::size_t at_ = 0;
  std::uint64_t version_ = 0, changes_ = 0;
  std::int64_t sent_ms_ = 0, overview_ms_ = 0, opened_ms_ = 0;
};

}  // namespace moonlet::web
