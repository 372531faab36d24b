--- Names of people: those that a text introduces (a header, a signature, "my name is"), those that follow a title or an
--- address, and given names that are no words. A name that was introduced once is found wherever it occurs again.

local find, gsub, lower, match, sub = string.find, string.gsub, string.lower, string.match, string.sub

local M = {}

local function set(text)
  local result = {}
  for word in string.gmatch(text, "%S+") do result[word] = true end
  return result
end

-- Common given names of many countries, without those that are also words, months, tools or algorithms.
local GIVEN = set [[Aaron Abdul Abdullah Abigail Adrian Agnes Agnieszka Ahmed Aisha Akira Alan Albert Alejandro
  Aleksandra Alessandro Alessandra Alexander Alexandra Alexei Alexey Alice Alicia Alina Alison Allison Alvaro Amanda
  Amelie Amina Amir Amit Amy Ana Anastasia Anders Andrea Andreas Andrei Andres Andrew Andrey Andrzej Aneta Angela
  Angelika Anil Anita Anja Anjali Anke Ann Anna Anne Annette Annika Anthony Antje Antoine Anton Antonio Anton Anya
  Arash Ariel Arjun Arnaud Arthur Arturo Ashok Asif Astrid Aurelie Ayesha Barbara Bartosz Beate Beatrice Beatriz Ben
  Benedikt Benjamin Benoit Bernard Bernd Bettina Birgit Birgitte Bjorn Bogdan Boris Brandon Brenda Brian Bridget Bruno
  Camila Carina Carla Carlos Carmen Carol Carolina Caroline Carsten Catherine Cecilia Cecile Celine Charlotte Chiara
  Chidi Chloe Christa Christina Christine Christophe Christopher Chukwu Cindy Claire Clara Claudia Claudio Conor
  Cornelia Cristina Cynthia Dagmar Damien Daniel Daniela Danielle Dariusz David Deborah Deepak Deepika Denis Dennis
  Derek Diana Diego Dieter Dimitri Dirk Dmitri Dmitry Dominik Dominique Donald Donna Doris Dorothea Dorota Douglas
  Eduardo Edward Ekaterina Elena Eleonora Elif Elisabeth Elizabeth Elke Ellen Emil Emilia Emily Emma Emmanuel Enrique
  Erik Erika Ernst Esther Eugene Eva Evelyn Fabian Fabio Farah Fatima Federico Felipe Felix Fernanda Fernando Filip
  Florence Florian Francesca Francesco Francisco Francois Franziska Frederic Frederik Friedrich Fumiko Gabriel
  Gabriela Gabriele Gary George Georg Gerald Gerhard Giovanni Gisela Giulia Giuseppe Gonzalo Gordon Graham Greg Gregor
  Gregory Grzegorz Guillaume Gunther Gustavo Hannah Hanna Hannes Hans Harald Haruka Hassan Heather Heidi Heike Heiko
  Heinrich Heinz Helen Helena Helga Helmut Hendrik Henri Henrik Henrike Henry Herbert Hermann Hideo Hilde Hiroshi
  Holger Hubert Ian Ibrahim Ignacio Igor Ines Inga Inge Ingeborg Ingrid Irene Irina Isabel Isabella Isabelle Ismail
  Ivan Ivana Jacek Jacob Jacqueline Jacques Jakob Jakub James Jamie Jana Jane Janet Janina Jason Javier Jean Jeffrey
  Jennifer Jens Jeremy Jerome Jessica Jian Jim Joachim Joan Joanna Joao Jochen Joel Johan Johanna Johannes John Jon
  Jonas Jonathan Jordi Jorg Jorge Jose Josef Joseph Joshua Juan Juanita Judith Jules Julian Juliane Julie Julien
  Juliette Jurgen Justin Justyna Kamal Kamil Karen Karin Karl Karla Karolina Karsten Katarina Katarzyna Kate Katerina
  Katharina Katherine Kathleen Kathrin Katja Katrin Kavita Keiko Keith Kelly Kenji Kenneth Kerstin Kevin Khalid
  Kimberly Kirsten Klaus Konrad Konstantin Krishna Kristen Kristin Kristina Krzysztof Kumar Kurt Kwame Kyle Kwabena
  Lars Larissa Latoya Laura Lauren Laurent Lea Lena Leon Leonardo Leonie Liam Linda Lindsay Lisa Liu Lorenzo Louis
  Louise Luca Lucas Lucia Luciana Lucy Ludwig Luis Luisa Lukas Luke Lydia Magda Magdalena Mahmoud Maike Malgorzata
  Malik Manfred Manuel Manuela Marc Marcel Marcela Marcin Marco Marcus Marek Margaret Margarete Margarita Marguerite
  Maria Mariam Mariana Marie Marina Mario Marion Marius Marjan Markus Marlene Marta Martha Martin Martina Mary Maryam
  Mateusz Mathias Mathieu Matteo Matthew Matthias Maurice Mauricio Maximilian Mehmet Mei Melanie Melissa Michael
  Michaela Michal Michel Michele Michelle Miguel Mihai Mike Mikhail Milena Minh Miriam Mohamed Mohammad Mohammed
  Monica Monika Monique Moritz Muhammad Mustafa Nadia Nadine Nancy Naomi Natalia Natalie Natasha Neha Nicholas Nick
  Nicola Nicolas Nicole Niels Nikhil Nikita Nikolai Nikolaus Nils Nina Noah Noemi Nora Norbert Nuria Ola Olaf Ole Oleg
  Oleksandr Olga Oliver Olivia Olivier Olga Oluwaseun Omar Oscar Osman Oswald Otto Pablo Pamela Paolo Patrice Patricia
  Patrick Paul Paula Pauline Pavel Pawel Pedro Peggy Peter Petra Philip Philipp Philippe Phillip Pierre Piotr Prakash
  Pranav Preeti Priya Priyanka Rachel Radek Rafael Rahul Raj Rajesh Ralf Ramesh Ramon Raquel Rashid Raul Ravi Rebecca
  Reinhard Renate Renata Rene Ricardo Richard Rita Robert Roberto Rodrigo Roger Roland Rolf Ronald Ronja Rosalind Rosa
  Rosemary Rosie Roxana Rudolf Rui Ruth Ryan Sabine Sabrina Salma Samantha Samir Samuel Sandeep Sandra Sanjay Santiago
  Sara Sarah Sasha Satoshi Scott Sean Sebastian Serge Sergei Sergey Sergio Shane Shannon Sharon Sheila Shirley Shreya
  Sigrid Silke Silvia Simon Simone Sofia Sofie Soren Sonia Sonja Sophia Sophie Stefan Stefania Stefanie Steffen
  Stephan Stephanie Stephen Steve Steven Stuart Sunita Susan Susanne Suzanne Sven Svetlana Sylvia Sylvie Takashi
  Takeshi Tamara Tanja Tanya Tariq Tatiana Tatjana Ted Terry Theodor Theresa Thomas Thorsten Tiffany Tim Timothy Tina
  Tobias Todd Tom Tomas Tomasz Tony Torsten Tracy Ulrich Ulrike Umar Ursula Usha Uwe Valentin Valentina Valerie
  Vanessa Vera Veronica Veronika Victor Vijay Vikram Viktor Viktoria Vincent Vincenzo Vladimir Volker Walter Wei Wendy
  Werner Wiebke Wilhelm William Wojciech Wolfgang Xavier Xiao Yan Yannick Yasmin Yolanda Youssef Yuki Yuri Yusuf Yves
  Yvonne Zainab Zbigniew Zoe Zofia Zuzana Bob Jonas Lucía José María André René Zoë Chloé Jörg Jürgen Günther Björn
  Sören Łukasz Chidinma Ngozi Chinedu Emeka Ifeoma Amara Olumide Adebayo Thabo Sipho Nomvula Wanjiru Kofi Akosua
  Hiroko Yoko Naoko Ming Xin Jing Hui Nguyen Linh Thanh Siti Budi Dewi Rohan Ananya Ishaan Aditi Arun Suresh Lakshmi
  Meera Siobhan Niamh Aoife Eoin Ciara Gareth Rhys Sigurd Ingvild Torbjorn Eero Aino Juhani Pekka Mika Laszlo Zoltan
  Istvan Katalin]]

-- Capitalised words that stand where a name could, and are none.
local NOT_NAMES = set [[The This That These Those There All Both Team Everyone Everybody World Folks You Your We Our
  It Its User Users Assistant Human System Agent Agents Claude Codex Gemini Copilot Cursor Anthropic OpenAI Google
  GitHub GitLab Git Gitea Slack Jira Docker Redis Postgres Kubernetes Python Rust Ruby Java Lua Go Perl Swift Jenkins
  Apache Microsoft Amazon Azure Apple Meta Visual Red Open Linux Windows Ubuntu Debian Fedora Android Chrome Firefox
  Safari Mozilla Oracle Intel Nvidia Make Cargo Ninja Bazel Maven Gradle Node React Angular Vue Django Flask Rails
  Laravel Spring Terraform Ansible Helm Vault Consul Kafka Spark Hadoop Elastic Grafana Prometheus Sentry Datadog Zarr
  Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July August September
  October November December Bot Admin Root Support Security Sales Info Release Main Master Board Group Committee
  Office Department Lab Labs Inc Ltd GmbH Corp University Institute Foundation Project Service Server Note Warning
  Error Todo Fixme Yes No Please Never Always Do Don Use Run See Read Write Keep Add Fix Remove Update Check Pull Push
  Merge Request Code Test Tests Build Deploy API CLI CI README Markdown English German French Spanish Italian
  Portuguese Chinese Japanese European American British New York San Los North South East West Street Road None
  Unknown Nobody Someone Anybody Author Reviewer Maintainer Editor Owner Sincerely Regards Cheers Best Kind Thanks
  Thank Dear Hello Hi Hey Good Great Opus Sonnet Haiku Fable Dependabot Renovate He She They Who What When Where Why
  How Customer Customers Client Clients Boss Manager Lead Leads Maintainers Reviewers Management Legal Marketing
  Consensus Standup QA Ops Frontend Backend Engineering Product Design Data Result Cause Symptom Impact Fix Action
  Question Answer Pros Cons Done Status Context Decision Example Input Output Expected Actual Given Then Step Info Tip
  Important Summary Subject Date Title Type Scope Risk Options Option Source Rule Reason Rationale Not Nothing People
  Others One Some Many Most Such If And But Or So As At In On By For Of To With From Into Than Now Here His Her Their
  My Its Any Every Each Another Other Same Next Last First Only Also Just Still Yet Wir Ich Er Sie Es Man Niemand Alle
  Jeder Jede Kunde Kunden Chef Il Elle On Nous Ils Ella Nosotros Beschluss Will Can May Mark Grace Rose Hope Faith Art
  Bill Max Rob Jack Chase Drew Dean Grant Frank Miles Gene Summer Dawn]]

local LETTER = "[%a\128-\255]"
local UPPER = "[%u\195-\197]"
-- One word of a name: Anna, Osei-Tutu, O'Neill, Łukasz, Ó.
local WORD = UPPER .. "[%a\128-\255'’%-]*"

local function is_name_word(word)
  local bare = gsub(word, "['’]s$", "")
  if NOT_NAMES[bare] or #bare < 2 or find(bare, "^%u+$") and #bare > 3 then return false end
  -- CamelCase is code; McKay and O'Neill are people.
  return not (find(bare, "%l%u") and not find(bare, "^Ma?c%u") and not find(bare, "^%l"))
end

-- The words of a name at the start of a text: {from, to} of each, in a row.
local function name_at(text, most)
  local words, pos = {}, 1
  while #words < (most or 4) do
    local from, word, to = match(text, "^()(" .. WORD .. ")()", pos)
    if word and #word == 1 and sub(text, to, to) == "." then to = to + 1 end
    if not word or not (is_name_word(word) or find(word, "^%u$")) then
      -- van der Berg, de la Cruz
      local particle = #words > 0 and match(text, "^(%l%l%l?) ", pos)
      if not particle or not find(" van von de del der den la le da di dos bin al el zu ", " " .. particle .. " ", 1,
        true)
      then
        break
      end
      pos = pos + #particle + 1
    else
      words[#words + 1] = { from, to - 1, word }
      if sub(text, to, to) ~= " " then break end
      pos = to + 1
    end
  end
  return words
end

local HEADS = set [[from to cc bcc author authors committer reviewer reviewers name present attendees participants
  assignee owner contact maintainer maintainers patient client customer interviewee presenter moderator signed-off-by
  co-authored-by reviewed-by acked-by tested-by reported-by suggested-by approved-by committed-by helped-by
  requested-by sender recipient assigned attendee caller applicant employee tenant driver guardian spouse facilitator
  scribe regrets absent]]

local function add_words(found, words, text, base)
  for i = 1, #words do
    local word = gsub(words[i][3], "['’]s$", "")
    if #word >= 3 and not find(word, "^%u+$") then found[#found + 1] = word end
  end
  local last = words[#words]
  return { base + words[1][1] - 1, base + last[2] - 1, text }
end

-- Names behind a label at the start of a line, more than one where they are a list.
local function headed(text, found, spans)
  local from = 1
  while from <= #text do
    local stop = find(text, "\n", from, true) or #text + 1
    local line = sub(text, from, math.min(stop - 1, from + 400))
    local lead, label, rest = match(line, "^([%s%*%->#|_]*)([%a%-]+)[%*_]*:[%*_]*%s+()")
    if not label then
      -- "Reviewer 2: Ann Lee", "Written by Ann Lee"
      lead, label, rest = match(line, "^([%s%*%->#|_]*)([%a%-]+) by:?%s+()")
      if label then label = find(lower(label), "^%a+ed$") or find(lower(label), "^written$") and "author" or "" end
      if label and label ~= "" then label = "author" end
    end
    if label and lead and HEADS[lower(label)] then
      local pos = rest
      for _ = 1, 30 do
        local words = name_at(sub(line, pos), 4)
        if #words > 0 then
          spans[#spans + 1] = add_words(found, words, "name", from + pos - 1)
          pos = pos + words[#words][2]
        end
        local next_one = match(line, "^[^,;&\n]-[,;&]%s*()", pos) or match(line, "^%s+and%s+()", pos)
        if not next_one then break end
        pos = next_one
      end
    end
    from = stop + 1
  end
end

local CLOSINGS = { "regards", "cheers", "best", "best wishes", "sincerely", "yours", "yours sincerely", "thanks",
  "many thanks", "thank you", "kind regards", "best regards", "warm regards", "mit freundlichen grüßen",
  "viele grüße", "liebe grüße", "beste grüße", "gruß", "cordialement", "saludos", "um abraço", "all the best",
  "yours truly", "take care" }
local CLOSES = {}
for _, closing in ipairs(CLOSINGS) do CLOSES[closing] = true end

local function signed(text, found, spans)
  local from = 1
  while true do
    local stop = find(text, "\n", from, true)
    if not stop then return end
    if stop - from <= 40 then
      local line = lower(sub(text, from, stop - 1))
      local bare = match(line, "^[%s>]*(.-)[%s,!%.]*$")
      local after = CLOSES[bare] and find(text, "[^%s>]", stop) or (bare == "--" and stop + 1)
      if after then
        local words = name_at(sub(text, after, after + 80), 4)
        local ends = #words > 0 and after + words[#words][2]
        if ends and find(text, "^[%s,%.|%(]", ends) or ends and ends > #text then
          spans[#spans + 1] = add_words(found, words, "name", after)
        end
      end
    end
    from = stop + 1
  end
end

-- {what stands before, least words}
local INTRODUCED = { { "my name is ", 1 }, { "my name's ", 1 }, { "call me ", 1 }, { "i am ", 2 }, { "i'm ", 2 },
  { "this is ", 2 }, { "mein name ist ", 1 }, { "ich heiße ", 1 }, { "je m'appelle ", 1 }, { "me llamo ", 1 },
  { "mr ", 1 }, { "mr. ", 1 }, { "mrs ", 1 }, { "mrs. ", 1 }, { "ms ", 1 }, { "ms. ", 1 }, { "miss ", 1 },
  { "dr ", 1 }, { "dr. ", 1 }, { "prof ", 1 }, { "prof. ", 1 }, { "professor ", 1 }, { "herr ", 1 }, { "frau ", 1 },
  { "mme ", 1 }, { "señor ", 1 }, { "señora ", 1 }, { "sra. ", 1 }, { "dear ", 1 }, { "hi ", 1 }, { "hello ", 1 },
  { "hey ", 1 }, { "ask ", 1 }, { "asks ", 1 }, { "asked ", 1 }, { "tell ", 1 }, { "told ", 1 }, { "ping ", 1 },
  { "cc ", 1 }, { "thanks to ", 1 }, { "signed off by ", 1 }, { "approved by ", 1 }, { "reviewed by ", 1 },
  { "written by ", 1 },
  { "reported by ", 1 }, { "goes by ", 1 }, { "surname is ", 1 }, { "first name is ", 1 }, { "last name is ", 1 },
  { "by ", 2 }, { "contact ", 2 }, { "contacted ", 1 }, { "e-mail ", 2 },
  { "email ", 2 }, { "met ", 2 }, { "colleague ", 1 }, { "maintainers, ", 2 }, { "maintainer ", 2 },
  { "patient ", 1 }, { "named ", 2 } }
-- What follows these is left out, but is too often no name to look for it elsewhere.
local WEAK = { ["by "] = true, ["named "] = true, ["contact "] = true, ["hey "] = true, ["tell "] = true,
  ["told "] = true, ["e-mail "] = true, ["email "] = true }
local NEEDS_CAPITAL = { ["mr "] = true, ["ms "] = true, ["dr "] = true, ["prof "] = true, ["miss "] = true,
  ["herr "] = true, ["frau "] = true, ["mrs "] = true }

local function introduced(text, low, found, spans)
  for i = 1, #INTRODUCED do
    local lead, least = INTRODUCED[i][1], INTRODUCED[i][2]
    local at = find(low, lead, 1, true)
    while at do
      local after = at + #lead
      local fits = not find(sub(low, at - 1, at - 1), "[%w_%-]")
        and (not NEEDS_CAPITAL[lead] or find(sub(text, at, at), "%u"))
      local words = fits and find(sub(text, after, after), UPPER) and name_at(sub(text, after, after + 80), 4) or {}
      if #words >= least then spans[#spans + 1] = add_words(WEAK[lead] and {} or found, words, "name", after) end
      at = find(low, lead, after, true)
    end
  end
  -- Ann Lee <ann@…
  local at = find(text, " <", 1, true)
  while at do
    if find(sub(text, at + 2, at + 80), "^[^%s<>@]+@") then
      local start = math.max(1, at - 60)
      local before = match(sub(text, start, at - 1), "[^\n:;,|<>\"%(]*$")
      local skip = match(before, "^%s*()")
      local words = name_at(sub(before, skip), 4)
      if #words > 0 then spans[#spans + 1] = add_words(found, words, "name", at - #before + skip - 1) end
    end
    at = find(text, " <", at + 2, true)
  end
end

-- Given names, with what is capitalised behind them.
local function given(text, found, spans)
  for from, word in string.gmatch(text, "()(" .. UPPER .. LETTER .. "+)") do
    local before = sub(text, from - 1, from - 1)
    if GIVEN[word] and not find(before, "[%w_%.%-/@\\`]") and not find(sub(text, from + #word, from + #word),
      "[%w_/`%(]") then
      local words = name_at(sub(text, from, from + 80), 4)
      if #words == 0 then words = { { 1, #word, word } } end
      spans[#spans + 1] = add_words(found, words, "name", from)
    end
  end
end

-- What only people do.
local DOES = set [[said says wrote writes asked asks suggested suggests insisted insists mentioned mentions thinks
  thought agreed agrees complained complains confirmed joked prefers hates likes dislikes loves wants hopes believes
  pointed reminded promised apologised apologized volunteered resigned joined lives moved visits sagt sagte meint
  meinte möchte bevorzugt schlägt bittet dit veut préfère dice quiere prefiere pide]]

local function acting(text, found, spans)
  local pattern = "()%f[%w\128-\255](" .. UPPER .. "[%l\128-\255'’%-]+) (%l[%l\128-\255]+)"
  for from, word, verb in string.gmatch(text, pattern) do
    if DOES[verb] and is_name_word(word) and not find(word, "['’]%l%l?$")
      and not find(sub(text, from - 1, from - 1), "[%w_`@/%.%-]")
      -- What is written in lower case elsewhere is a word.
      and not find(text, "%f[%w]" .. lower(word) .. "%f[%W]") then
      spans[#spans + 1] = add_words(found, { { 1, #word, word } }, "name", from)
    end
  end
  for from, word in string.gmatch(text, "[Aa]ccording to ()(" .. WORD .. ")") do
    if is_name_word(word) then spans[#spans + 1] = add_words({}, { { 1, #word, word } }, "name", from) end
  end
end

local STAMPED = "^%[?%d[%d%-:/%.T ,APMapm]+%]?[%s%-]+<?@?([%a\128-\255][%w\128-\255%.%-_]*)>?:%s"
local LABELLED = "^%**(" .. UPPER .. "[%l\128-\255%-]+)%**:%**%s"

-- Names that addresses of mail are made of: Ann Lee, ann.lee@…
local function mailed(text, low, found)
  local at, known = find(low, "@", 1, true), {}
  while at do
    local piece = match(sub(low, math.max(1, at - 64), at - 1), "[%w%.%-_]+$")
    for word in string.gmatch(piece or "", "%a%a%a%a+") do
      local name = gsub(word, "^%l", string.upper)
      if not known[name] and is_name_word(name) and find(text, "%f[%a]" .. name .. "%f[%A]") then
        found[#found + 1] = name
      end
      known[name] = true
    end
    at = find(low, "@", at + 1, true)
  end
end

-- Who speaks in a conversation, "[09:14] torben: …" or "Ann: …": most lines begin so, and somebody does twice.
local function speaking(text, found)
  local counts, total, lines = {}, 0, 0
  for line in string.gmatch("\n" .. text, "\n([^\n]*)") do
    if find(line, "%S") then lines = lines + 1 end
    local name = match(line, STAMPED) or match(line, LABELLED) or match(line, "^<([%w_%-%.]+)>%s")
    if name and #name >= 3 and #name <= 24 then
      counts[name], total = (counts[name] or 0) + 1, total + 1
    end
  end
  if total < 3 or total * 2 < lines then return end
  for name, count in pairs(counts) do
    name = gsub(name, "^%l", string.upper)
    if count >= 2 and is_name_word(name) and find(name, "^" .. UPPER .. "[%l\128-\255]+$") then
      found[#found + 1] = name
    end
  end
end

-- Words after @ that are no people.
local TAGS = set [[param return returns throws see since deprecated override dataclass property staticmethod
  classmethod media import keyframes font-face include mixin supports charset test pytest before after beforeeach
  aftereach component injectable input output everyone here channel all team inheritdoc author version type typedef
  field class alias nullable notnull autowired bean entity table column id getter setter data builder value field
  private public protected internal latest next main master head staging production prod dev types babel angular vue
  react nestjs nuxt sveltejs eslint typescript-eslint storybook testing-library deprecated todo fixme note brief file
  example default readonly enum interface template tparam ingroup defgroup cache lru_cache abstractmethod wraps
  contextmanager fixture parametrize mock patch app router task command group option argument codex claude copilot
  gemini dependabot renovate cursor]]

local function handles(text, low, add)
  local at = find(text, "@", 1, true)
  while at do
    local name = match(sub(text, at + 1, at + 40), "^[%a][%w_%-]+")
    local before = sub(text, at - 1, at - 1)
    if name and #name >= 3 and (before == "" or find(before, "[%s%(,:\"'%[]")) then
      local next_char = sub(text, at + 1 + #name, at + 2 + #name)
      local code = find(next_char, "^[/%({]") or find(next_char, "^%.%a") or find(sub(text, at - 1, at - 1), "`")
      if not TAGS[lower(name)] and not code then add(at, at + #name, "handle") end
    end
    at = find(text, "@", at + 1, true)
  end
  for _, word in ipairs { "telegram", "discord", "skype", "twitter", "instagram", "mastodon", "wechat", "threema",
    "handle", "nickname", "irc nick" } do
    local from = find(low, word, 1, true)
    while from do
      local after = from + #word
      local gap, name = match(sub(text, after, after + 60), "^(%s*[%a ]-%s*[:=]%s*@?)([%w_%.#%-]+)")
      gap, name = gap or match(sub(text, after, after + 60), "^( is @?)()"), name
      if name and #name >= 3 and not find(sub(low, from - 1, from - 1), "[%w_]") and not find(name, "^#") then
        add(after + #gap, after + #gap + #name - 1, "handle")
      end
      from = find(low, word, after, true)
    end
  end
  for _, site in ipairs { "linkedin.com/in/", "twitter.com/", "//x.com/", "t.me/", "instagram.com/",
    "facebook.com/" } do
    local from = find(low, site, 1, true)
    while from do
      local name = match(sub(text, from + #site, from + #site + 60), "^[%w_%.%-]+")
      if name then add(from, from + #site + #name - 1, "profile page") end
      from = find(low, site, from + #site, true)
    end
  end
end

local ANYONE = set [[user users runner ubuntu node app vscode root me you yourname username name someone somebody git
  circleci vagrant ec2-user pi docker build builder ci admin shared public default guest jovyan linuxbrew deploy
  gitpod codespace runneradmin coder developer dev agent worker www www-data nobody example test tester homebrew
  postgres]]

local function homes(text, low, add)
  for _, lead in ipairs { "/home/", "/users/", "\\users\\", "\\\\users\\\\" } do
    local at = find(low, lead, 1, true)
    while at do
      local name = match(sub(text, at + #lead, at + #lead + 64), "^[%w\128-\255][%w%._\128-\255%-]*")
      -- A route of a web site is written in lower case.
      local path = lead ~= "/users/" or sub(text, at, at + 6) == "/Users/"
      if name and path and not find(sub(text, at - 1, at - 1), "[%w%.]") and not ANYONE[lower(name)] then
        add(at, at + #lead + #name - 1, "home folder")
      end
      at = find(low, lead, at + #lead, true)
    end
  end
  for from, name, to in string.gmatch(text, "()~(%l[%w_%-]+)()/") do
    if not find(sub(text, from - 1, from - 1), "[%w_/=]") and not ANYONE[name] then add(from, to - 1, "home folder") end
  end
end

---The words of the names that a text introduces, for finding them again in other texts.
---@param text string
---@return string[]
function M.introduced(text)
  local found, spans = {}, {}
  headed(text, found, spans)
  signed(text, found, spans)
  introduced(text, lower(text), found, spans)
  given(text, found, spans)
  acting(text, found, spans)
  speaking(text, found)
  mailed(text, lower(text), found)
  return found
end

-- Names that are written like words, as in logins and addresses.
local function small_again(text, low, words, add)
  local wanted = {}
  for _, word in ipairs(words) do
    if #word >= 5 and not NOT_NAMES[word] then wanted[lower(word)] = true end
  end
  if not next(wanted) then return end
  for from, word, to in string.gmatch(low, "()(%l[%l\128-\255]+)()") do
    if wanted[word] and find(text, "^%l", from) then add(from, to - 1, "name") end
  end
end

local function again(text, words, add)
  local wanted = {}
  for _, word in ipairs(words) do
    if not NOT_NAMES[word] then wanted[word] = true end
  end
  if not next(wanted) then return end
  for from, word, to in string.gmatch(text, "()(" .. UPPER .. "[%a\128-\255'’%-]*)()") do
    local bare = gsub(word, "['’]s$", "")
    if not find(sub(text, from - 1, from - 1), "[%w_]") then
      local hit = wanted[bare]
      for piece in string.gmatch(bare, "[^%-]+") do hit = hit or wanted[piece] end
      if hit then add(from, to - 1, "name") end
    end
  end
end

--- Calls add(from, to, kind) for each name, handle and home folder of the text.
---@param text string
---@param low string the text in lower case
---@param add fun(from: integer, to: integer, kind: string)
---@param known string[]? words of names that are known already
---@param strict boolean? also where they are written small
function M.scan(text, low, add, known, strict)
  local found, spans = {}, {}
  headed(text, found, spans)
  signed(text, found, spans)
  introduced(text, low, found, spans)
  given(text, found, spans)
  acting(text, found, spans)
  speaking(text, found)
  mailed(text, low, found)
  for _, span in ipairs(spans) do add(span[1], span[2], span[3]) end
  for _, word in ipairs(known or {}) do found[#found + 1] = word end
  again(text, found, add)
  if strict then small_again(text, low, found, add) end
  handles(text, low, add)
  homes(text, low, add)
end

return M
