#include "host/executor/tools/toolbox.h"

#include <initializer_list>
#include <new>

#include "host/base/json.h"
#include "host/base/text.h"
#include "host/executor/tools/files.h"
#include "host/executor/tools/search.h"

namespace moonlet::executor {

namespace {

using nlohmann::json;
constexpr std::size_t kOutputCap = 100'000;

struct Argument {
  const char* name;
  const char* type;
  const char* help;
  bool required = false;
};

json spec(const char* name, const char* description, std::initializer_list<Argument> arguments) {
  json properties = json::object(), required = json::array();
  for (const Argument& argument : arguments) {
    properties[argument.name] = {{"type", argument.type}, {"description", argument.help}};
    if (argument.required) required.push_back(argument.name);
  }
  return {{"type", "function"},
          {"name", name},
          {"description", description},
          {"strict", false},
          {"parameters",
           {{"type", "object"},
            {"properties", properties},
            {"required", required},
            {"additionalProperties", false}}}};
}

}  // namespace

json Toolbox::specs() const {
  json list = json::array(
      {spec("Glob", "Lists files by name, sorted. `*` stays within a folder, `**` does not.",
            {{"pattern", "string", "such as **/*.cpp or src/*.{ts,tsx}", true},
             {"path", "string", "the folder to begin in; the repository root by default"}}),
       spec("Grep", "Finds lines by a regular expression (RE2 syntax).",
            {{"pattern", "string", "the regular expression", true},
             {"path", "string", "a file or folder; the repository root by default"},
             {"glob", "string", "only files of such names"},
             {"ignore_case", "boolean", "capitals and small letters count as the same"},
             {"context", "integer", "how many lines around each match"}}),
       spec("Read", "Reads a text file, with line numbers.",
            {{"path", "string", "relative to the repository root", true},
             {"offset", "integer", "the first line, from 1"},
             {"limit", "integer", "how many lines; 2000 by default"}})});
  if (!read_only_) {
    list.push_back(spec("Write", "Creates a file, or replaces all of it. Folders are made.",
                        {{"path", "string", "relative to the repository root", true},
                         {"content", "string", "the whole text of the file", true}}));
    list.push_back(spec("Edit",
                        "Replaces an exact piece of a file. Read the file first: old_string must "
                        "occur in it, letter for letter, and once unless replace_all is set.",
                        {{"path", "string", "relative to the repository root", true},
                         {"old_string", "string", "the text to replace", true},
                         {"new_string", "string", "the text in its place", true},
                         {"replace_all", "boolean", "replace every match"}}));
  }
  if (bash_ != nullptr) {
    list.push_back(spec("Bash",
                        "Runs a shell command in the repository root and gives its output and exit "
                        "code. It can write only beneath the root and in $TMPDIR; what it leaves "
                        "running is ended.",
                        {{"command", "string", "the command", true},
                         {"timeout_ms", "integer", "120000 by default, at most 600000"}}));
  }
  return list;
}

bool Toolbox::has_effect(const std::string& name) {
  return name == "Write" || name == "Edit" || name == "Bash";
}

std::string Toolbox::detail(const Call& call) const {
  auto parsed = parse_json(call.arguments);
  if (!parsed || !parsed->is_object()) return {};
  const bool by_path = call.name == "Read" || call.name == "Write" || call.name == "Edit";
  const char* main = call.name == "Bash" ? "command" : by_path ? "path" : "pattern";
  std::string text = text_of(*parsed, main);
  if (by_path) {
    // Do not resolve an empty path. It would become the root, which the model did not name.
    if (auto rel = workspace_.relative(text); rel && !text.empty()) text = *rel;
  } else if (const std::string path = text_of(*parsed, "path"); !path.empty()) {
    text += (text.empty() ? "in " : " in ") + path;
  }
  return printable(redactor_.apply(text), 200);
}

ToolResult Toolbox::run(const Call& call, const Limit& limit) {
  ToolResult result;
  try {
    result = run_checked(call, limit);
  } catch (const std::bad_alloc&) {
    result = invalid("the memory does not suffice for this call", "ask for less at once");
  }
  result.output =
      cut_middle(redactor_.apply(to_valid_utf8(result.output)), kOutputCap, "narrow the call");
  return result;
}

ToolResult Toolbox::run_checked(const Call& call, const Limit& limit) {
  auto parsed = parse_json(call.arguments.empty() ? "{}" : call.arguments);
  if (!parsed || !parsed->is_object()) {
    return invalid("the arguments are not a JSON object" +
                       (parsed ? std::string() : ": " + parsed.error().message),
                   "send them again, whole");
  }
  const Arguments arguments(*parsed);
  if (call.name == "Glob") return glob_tool(workspace_, arguments, limit);
  if (call.name == "Grep") return grep_tool(workspace_, arguments, limit);
  if (call.name == "Read") return read_tool(workspace_, arguments);
  if (call.name == "Write" && !read_only_) return write_tool(workspace_, arguments);
  if (call.name == "Edit" && !read_only_) return edit_tool(workspace_, arguments);
  if (call.name == "Bash" && bash_ != nullptr) return bash_->run(arguments);
  return invalid("there is no tool '" + printable(call.name, 60) + "'",
                 "use one of those that are described");
}

}  // namespace moonlet::executor
