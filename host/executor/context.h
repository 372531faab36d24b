// Builds the instructions and the user messages of a conversation. The functions keep no state.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "host/base/result.h"
#include "host/executor/options.h"
#include "host/executor/tools/workspace.h"

namespace moonlet::executor {

struct Plan {
  std::string path;
  std::string text;
  std::string sha256;
};

/// Reads the plan. Fails with "Plan file not found: …", or if the file is not text.
Result<Plan> read_plan(const std::string& path);

/// Builds the instructions. If `keeps_folders` is true, Bash cannot rename top-level folders.
std::string instructions(const Options& options, bool keeps_folders);

/// Builds the first message: description, plan, CLAUDE.md, AGENTS.md, the root's path and files.
std::string first_message(const std::string& task_id, const std::string& description,
                          const Plan& plan, const Workspace& workspace);
/// Builds a later message: the user's answer to a question, or a new request.
std::string next_message(const std::string& text, bool is_answer, const Plan* changed_plan,
                         const std::string* moved_root);

/// Replaces the output of old tool calls by a note, oldest first, until about `bytes` are saved.
/// Shortens the last two outputs only if the older ones do not suffice. Returns the number of
/// changed outputs.
std::size_t drop_old_output(nlohmann::json& items, std::size_t bytes);

}  // namespace moonlet::executor
