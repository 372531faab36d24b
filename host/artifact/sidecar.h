// Sidecars: `.agent/sidecars/<task-id>/`, the artifacts of a run's agent calls, one folder a call.
// Writes only the files it knows, each with a cap, each as one durable step. It does not redact and
// does not interpret: that was done before. One thread.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "host/artifact/jail.h"
#include "host/base/result.h"

namespace moonlet {

/// The folder of one agent call: prompt.md, output.md … and out/, where alone the agent may write.
class CallDir {
 public:
  const std::string& name() const { return name_; }
  const Dir& dir() const { return dir_; }
  /// The absolute path of out/, for the agent.
  std::string out_path() const { return dir_.path_of("out"); }

  /// Writes prompt.md, input-manifest.md, output.md, findings.md, decision.md or model.md. Text
  /// above the file's cap loses its middle, with a note.
  Result<void> write_text(std::string_view file, std::string_view text) const;
  /// Writes findings.json, model.json or exit.json. Above the cap it is kLimit: JSON cannot be cut.
  Result<void> write_json(std::string_view file, const nlohmann::json& value) const;
  /// Opens events.jsonl, stdout.log or stderr.log for appending; whoever writes keeps the cap.
  Result<Fd> open_log(std::string_view file) const;
  /// The cap in bytes of a known file; 0 for others.
  static std::size_t cap_of(std::string_view file);

 private:
  friend class Sidecar;
  CallDir(std::string name, Dir dir) : name_(std::move(name)), dir_(std::move(dir)) {}
  std::string name_;
  Dir dir_;
};

class Sidecar {
 public:
  /// Makes the sidecar's folder with out/ in it. kInvalid when the id is malformed or taken.
  static Result<Sidecar> create(const Dir& agent, std::string_view task_id);
  /// One that is there: prepared before, or of a run that goes on.
  static Result<Sidecar> open(const Dir& agent, std::string_view task_id);
  /// "<preset>-20261121T031200Z-1a2b": what a run without --task-id uses. Any text as `preset`.
  static std::string default_id(std::string_view preset, std::int64_t wall_ms);

  const std::string& id() const { return root_.name(); }
  /// The files at the top: those of the only call, or of the run as a whole.
  const CallDir& root() const { return root_; }
  /// The folder of one call, steps/<name>/, made when missing.
  Result<CallDir> step(std::string_view key) const;
  /// The name for a step's key: the key where it is a plain lower-case id, else its readable part
  /// and a hash. At most 64 characters; different keys have different names, also where the file
  /// system ignores case.
  static std::string step_name(std::string_view key);

 private:
  explicit Sidecar(CallDir root) : root_(std::move(root)) {}
  CallDir root_;
};

}  // namespace moonlet
