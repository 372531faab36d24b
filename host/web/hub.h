// Hub follows the events of all live runs of all work trees, and keeps a small model of each run.
// LiveBody streams server-sent events to a page: the events of the runs that the page follows, with
// a cursor as id, and the changes of all live runs. One thread.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
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

  /// Reads new events and runs. Cheap if nothing has changed.
  void tick();
  std::vector<Repo>& repos() { return repos_; }

  /// Increases when a live run changes, and when a run becomes live or ends.
  std::uint64_t version() const { return version_; }
  /// Increases when a run, task or decision may have been added, removed or changed its state.
  std::uint64_t changes() const { return changes_; }
  /// Returns true if there are as many streams as the server has descriptors and memory for.
  bool is_full() const { return streams_ >= kMostStreams; }
  /// Returns {"live": [ids], "runs": [the runs that have changed after `version`]}.
  std::string overview(std::uint64_t version) const;

 private:
  friend class LiveBody;
  /// A browser has one stream for all its tabs.
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
  std::map<std::size_t, std::vector<std::int64_t>> seen_;  ///< times of folders, by repo
  std::uint64_t version_ = 1, changes_ = 1;
  std::int64_t judged_ms_ = 0;
  std::size_t streams_ = 0;
};

class LiveBody final : public Body {
 public:
  /// `wanted` lists work tree, run and the last event that the page has: "0/R-007:123,0/R-009:0".
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
