#include "host/web/site.h"

#include <algorithm>
#include <cstdlib>

#include "host/artifact/run/directory.h"
#include "host/artifact/run/sidecar.h"
#include "host/base/json.h"
#include "host/base/text.h"
#include "host/web/assets.h"
#include "host/web/commands.h"
#include "host/web/history.h"

namespace moonlet::web {

namespace {

constexpr std::uint64_t kMostOfFile = 1 << 20;
constexpr std::size_t kMostFiles = 500;

Reply json_reply(std::string text) {
  Reply reply;
  reply.text = std::move(text);
  return reply;
}

Reply refusal(const Error& error) {
  Reply reply;
  reply.status = error.kind == ErrorKind::kInvalid  ? 404
                 : error.kind == ErrorKind::kDenied ? 403
                 : error.kind == ErrorKind::kLimit  ? 503
                                                    : 500;
  reply.text = json_text({{"error", {{"message", error.message}, {"hint", error.hint}}}});
  return reply;
}

std::uint64_t number_arg(const Request& request, const char* name, std::uint64_t none) {
  const std::string& text = request.arg(name);
  return text.empty() ? none : std::strtoull(text.c_str(), nullptr, 10);
}

Reply asset(std::string_view name, bool is_kept) {
  const Asset* found = find_asset(name);
  if (found == nullptr) return Reply::refusal(404, "there is no such file");
  Reply reply;
  reply.type = name.ends_with(".js")    ? "text/javascript; charset=utf-8"
               : name.ends_with(".css") ? "text/css; charset=utf-8"
               : name.ends_with(".svg") ? "image/svg+xml"
                                        : "text/html; charset=utf-8";
  reply.text = found->text;
  if (is_kept) {
    reply.headers.emplace_back("Cache-Control", "public, max-age=31536000, immutable");
    return reply;
  }
  constexpr std::string_view mark = "{hash}";
  for (std::size_t at; (at = reply.text.find(mark)) != std::string::npos;) {
    reply.text.replace(at, mark.size(), assets_hash());
  }
  return reply;
}

nlohmann::json files_of(const Dir& dir, const std::string& folder) {
  nlohmann::json files = nlohmann::json::array();
  auto listing = dir.list(folder.empty() ? "." : folder, kMostFiles);
  if (!listing) return files;
  for (const Entry& entry : listing->entries) {
    const std::string path = folder.empty() ? entry.name : folder + "/" + entry.name;
    auto info = entry.kind == EntryKind::kFile ? dir.stat(path) : Result<FileInfo>(Error{});
    if (entry.kind == EntryKind::kDir) files.push_back({{"name", entry.name}, {"folder", true}});
    if (info) files.push_back({{"name", entry.name}, {"size", info->size}});
  }
  return files;
}

}  // namespace

Repo* Site::repo_of(const Request& request) {
  const auto index = number_arg(request, "repo", 0);
  return index < repos_.size() ? &repos_[index] : nullptr;
}

Reply Site::login(const Request& request) {
  auto json = parse_json(request.body);
  const auto token = json && json->is_object() ? json->find("token") : nlohmann::json::iterator();
  if (!json || !json->is_object() || token == json->end() || !token->is_string() ||
      !access_.is_token(token->get_ref<const std::string&>())) {
    return Reply::refusal(403,
                          "the token is wrong: open the address that moonlet web "
                          "has printed");
  }
  Reply reply = json_reply("{}");
  reply.headers.emplace_back("Set-Cookie", access_.set_cookie(request.head));
  return reply;
}

Reply Site::about() {
  nlohmann::json repos = nlohmann::json::array();
  for (Repo& repo : repos_) {
    repos.push_back({{"folder", repo.folder()},
                     {"name", repo.folder().substr(repo.folder().rfind('/') + 1)},
                     {"read_only", repo.is_read_only()}});
  }
  return json_reply(json_text({{"version", MOONLET_VERSION}, {"repos", std::move(repos)}}));
}

Reply Site::command(const Request& request, const std::string& name, bool acts) {
  Values values;
  Repo* repo = nullptr;
  if (acts) {
    auto json = parse_json(request.body);
    if (!json || !json->is_object()) return Reply::refusal(400, "the body is not a JSON object");
    for (const auto& [key, value] : json->items()) {
      if (key == "repo" && value.is_number_unsigned() && value < repos_.size()) {
        repo = &repos_[value.get<std::size_t>()];
      } else if (value.is_string()) {
        values[key] = value.get<std::string>();
      } else {
        return Reply::refusal(400, "the value of '" + printable(key, 40) + "' is not a text");
      }
    }
    if (repo != nullptr && repo->is_read_only()) {
      return Reply::refusal(403, "this work tree is read-only");
    }
  } else {
    values = request.args;
    values.erase("repo");
    repo = repo_of(request);
  }
  if (repo == nullptr) return Reply::refusal(404, "there is no such work tree");
  auto words = command_words(name, values, repo->folder(), acts);
  if (!words) return Reply::refusal(400, words.error().message);
  words->insert(words->begin(), program_);
  auto body = start_command(std::move(*words), repo->folder(), acts);
  if (!body) return refusal(body.error());
  Reply reply;
  reply.body = std::move(*body);
  return reply;
}

Reply Site::step(const Request& request, Repo& repo, const Dir& sidecar) {
  const std::string& key = request.arg("key");
  std::string folder = "steps/" + step_name(key);
  if (!sidecar.exists(folder)) {
    // The first agent of a run writes into the run's folder, because it has no folder of its own.
    auto model = sidecar.read_file("model.json", kMostOfFile);
    auto json = model ? parse_json(model->bytes) : Result<nlohmann::json>(Error{});
    const bool is_first = json && json->is_object() && json->value("step", nlohmann::json()) == key;
    folder = is_first ? "" : "-";
  }
  nlohmann::json about = {{"folder", nullptr}, {"files", nlohmann::json::array()}};
  if (folder != "-") {
    about["folder"] = folder;
    about["files"] = files_of(sidecar, folder);
  }
  auto run = repo.agent()->dir("runs/" + request.arg("run"));
  auto records = run ? records_json(*run, key) : Result<std::string>(run.error());
  std::string text = json_text(about);
  text.pop_back();
  // Join the two JSON objects as texts, so that the journal records need not be parsed.
  text += records ? "," + records->substr(1) : std::string("}");
  return json_reply(std::move(text));
}

Reply Site::file(const Request& request, const Dir& sidecar) {
  const std::string& path = request.arg("path");
  auto file = sidecar.open_read(path);
  auto info = file ? sidecar.stat(path) : Result<FileInfo>(file.error());
  if (!info) return refusal(info.error());
  Reply reply;
  // The file may contain text of an agent, so never serve it as HTML.
  reply.type = "text/plain; charset=utf-8";
  reply.headers.emplace_back("X-Size", std::to_string(info->size));
  reply.offset = std::min(number_arg(request, "from", 0), info->size);
  reply.size =
      std::min({info->size - reply.offset, number_arg(request, "size", kMostOfFile), kMostOfFile});
  if (reply.size > 0) reply.file = std::move(*file);
  return reply;
}

Reply Site::history(const Request& request, const std::string& what) {
  Repo* repo = repo_of(request);
  if (repo == nullptr) return Reply::refusal(404, "there is no such work tree");
  auto sidecar = repo->sidecar(request.arg("run"));
  if (!sidecar) return refusal(sidecar.error());
  if (what == "step") return step(request, *repo, *sidecar);
  if (what == "file") return file(request, *sidecar);
  if (what == "files") {
    return json_reply(json_text({{"files", files_of(*sidecar, request.arg("path"))}}));
  }
  EventQuery query;
  query.before = number_arg(request, "before", 0);
  query.limit = std::clamp<std::uint64_t>(number_arg(request, "limit", 200), 1, 1000);
  query.step = request.arg("step");
  query.types = request.arg("types");
  query.words = request.arg("words");
  auto text = what == "steps" ? steps_json(*sidecar) : events_json(*sidecar, query);
  return text ? json_reply(std::move(*text)) : refusal(text.error());
}

Reply Site::answer(const Request& request) {
  const std::string& path = request.head.path;
  const bool is_change = request.head.method == "POST";
  constexpr std::string_view kCommands = "/api/command/";
  if (path.rfind(kCommands, 0) == 0) {
    return command(request, path.substr(kCommands.size()), is_change);
  }
  if (is_change) {
    return path == "/api/login" ? login(request) : Reply::refusal(404, "there is no such action");
  }
  if (path == "/") return asset("live/page.html", false);
  if (path == "/api/about") return about();
  if (path == "/api/live") {
    if (hub_.is_full()) return Reply::refusal(503, "too many pages are open");
    const std::string_view again = request.head.header("last-event-id");
    Reply reply;
    reply.type = "text/event-stream";
    reply.body =
        std::make_unique<LiveBody>(hub_, again.empty() ? request.arg("runs") : std::string(again));
    return reply;
  }
  for (const char* what : {"steps", "events", "step", "file", "files"}) {
    if (path == std::string("/api/") + what) return history(request, what);
  }
  const std::string folder = "/a/" + std::string(assets_hash()) + "/";
  if (path.rfind(folder, 0) == 0) return asset(path.substr(folder.size()), true);
  return Reply::refusal(404, "there is no such page");
}

}  // namespace moonlet::web
