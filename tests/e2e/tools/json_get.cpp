// json_get FILE CHECK…: FILE must be exactly one JSON value. A check is
//   /pointer           prints the value
//   /pointer=TEXT      the value must be TEXT (a string as it is, anything else as JSON)
//   /pointer~TEXT      a string that contains TEXT
//   keys:/pointer=a,b  the object's keys must be exactly these, in any order
// Exit 1 with a line on each check that does not hold.
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>

using nlohmann::json;

namespace {

std::string shown(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

bool holds(const json& document, std::string check) {
  bool keys = check.rfind("keys:", 0) == 0;
  if (keys) check = check.substr(5);
  std::size_t at = check.find_first_of("=~");
  std::string pointer = check.substr(0, at);
  json::json_pointer place(pointer == "/" ? "" : pointer);
  if (!document.contains(place)) {
    std::cout << pointer << " is not there\n";
    return false;
  }
  const json& value = document[place];
  if (at == std::string::npos) {
    std::cout << shown(value) << "\n";
    return true;
  }
  std::string want = check.substr(at + 1);
  if (keys) {
    std::set<std::string> wanted, seen;
    std::stringstream list(want);
    for (std::string key; std::getline(list, key, ',');) wanted.insert(key);
    for (const auto& item : value.items()) seen.insert(item.key());
    if (wanted == seen) return true;
    std::cout << "the keys of " << pointer << " are";
    for (const auto& key : seen) std::cout << " " << key;
    std::cout << "; expected " << want << "\n";
    return false;
  }
  bool right =
      check[at] == '~' ? shown(value).find(want) != std::string::npos : shown(value) == want;
  if (!right) std::cout << pointer << " is " << shown(value) << "; expected " << want << "\n";
  return right;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  std::ifstream file(argv[1], std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  try {
    const json document = json::parse(text.str());
    bool right = true;
    for (int i = 2; i < argc; ++i) right = holds(document, argv[i]) && right;
    return right ? 0 : 1;
  } catch (const std::exception& error) {
    std::cout << argv[1] << ": " << error.what() << "\n" << text.str().substr(0, 500) << "\n";
    return 1;
  }
}
