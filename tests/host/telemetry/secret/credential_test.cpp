#include "host/telemetry/secret/credential.h"

#include "tests/catch.h"

using moonlet::mask_credentials;

TEST_CASE("credential: a word that looks like one is hidden") {
  const std::string planted = "planted-0123456789abcdef";
  const std::string mark = "[redacted:argument]";
  CHECK(mask_credentials("x.api_key=" + planted, "-c") == "x.api_key=" + mark);
  CHECK(mask_credentials("--token=" + planted, "") == "--token=" + mark);
  CHECK(mask_credentials(planted, "--api-key") == mark);
  CHECK(mask_credentials("Authorization: Bearer " + planted, "--header") ==
        "Authorization: Bearer " + mark);
  CHECK(mask_credentials("p={name=\"p\",experimental_bearer_token=\"" + planted + "\",x=1}",
                         "-c") == "p={name=\"p\",experimental_bearer_token=\"" + mark + "\",x=1}");
}

TEST_CASE("credential: other words stay as they are") {
  for (const char* word :
       {"", "=", "key=", "--key", "max_tokens=200000", "env_key=\"LOCAL_API_KEY\"", "-s",
        "token=/home/u/token", "monkey=0123456789abcdef", "a Bearer", "Bearer ", "key: short",
        "[\"CODEX_API_KEY\",\"OPENAI_API_KEY\"]", "\xff\xfe key=\xff"}) {
    CHECK(mask_credentials(word, "-c") == word);
  }
  CHECK(mask_credentials("--json", "--key") == "--json");
}
