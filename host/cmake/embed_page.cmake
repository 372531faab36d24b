# Writes a C++ file that contains the files of the web page: cmake -D OUT=… -D ROOT=… -D FILES=a,b -P embed_page.cmake
# FILES are relative to ROOT. The page is served under a hash of all of them.
string(REPLACE "," ";" names "${FILES}")
set(all "")
set(rows "")
foreach(name ${names})
  file(READ "${ROOT}/${name}" text)
  string(APPEND all "${name}\n${text}")
  # Some compilers limit a string literal to 64 KB.
  string(LENGTH "${text}" size)
  if(size GREATER 60000)
    message(FATAL_ERROR "${name} is too large for the page")
  endif()
  string(APPEND rows "    {\"${name}\", R\"~page~(${text})~page~\"},\n")
endforeach()
string(SHA256 hash "${all}")
string(SUBSTRING "${hash}" 0 16 hash)
file(WRITE "${OUT}" "// Written from stdlib/web; do not edit.
#include \"host/web/assets.h\"

namespace moonlet::web {

namespace {
constexpr Asset kAssets[] = {
${rows}};
}  // namespace

const Asset* find_asset(std::string_view name) {
  for (const Asset& asset : kAssets) {
    if (asset.name == name) return &asset;
  }
  return nullptr;
}

std::string_view assets_hash() { return \"${hash}\"; }

}  // namespace moonlet::web
")
