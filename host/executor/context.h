// The texts that a conversation begins with: the instructions for the model, and the first message
// with the task, the plan, the project's guidelines and the place. Reads files; keeps none.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"
#include "host/executor/tools/workspace.h"

namespace moonlet::executor {

struct Plan {
  std::string path;
  std::string text;
  std::string sha256;
};

/// Reads the plan. Fails with "Plan file not found: …", or if the file is not text.
Result<Plan> read_plan(const std::string& path);

struct ContextOptions {
  bool read_only = false, bash = true, network = false, confined = true, keeps_folders = false;
};
std::string instructions(const ContextOptions& options);

/// The first message: the description, the plan, CLAUDE.md, AGENTS.md and the repository root.
std::string first_message(const std::string& task_id, const std::string& description,
                          const Plan& plan, const Workspace& workspace);
/// A later message of the same conversation: an answer, or what to do next.
std::string next_message(const std::string& text, bool is_answer, const Plan* changed_plan,
                         const std::string* moved_root);

/// Replaces the output of the oldest tool calls by a note until about `bytes` are saved. Keeps the
/// last two outputs. Returns how many were replaced.
std::size_t drop_old_output(nlohmann::json& items, std::size_t bytes);
/// Estimates the tokens of the conversation.
std::size_t estimate_tokens(const nlohmann::json& items);

}  // namespace moonlet::executor
