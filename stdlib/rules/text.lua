--- Rules about text of any kind: conflict markers, notes left behind, words doubled or misspelt, line ends.

local source = require "moonlet.rules.source"

local find, format, gsub, lower, match, sub = string.find, string.format, string.gsub, string.lower, string.match,
  string.sub

local M = {}

M.rules = {
  ["conflict-marker"] = { lenses = { "correctness", "risks", "consistency" }, severity = "critical", confidence = 0.97,
    fix = "Resolve the conflict and take the markers out." },
  ["todo-added"] = { lenses = { "practicality", "clarity", "correctness" }, severity = "low", confidence = 0.75,
    fix = "Do it now, or name the issue that tracks it." },
  ["doubled-word"] = { lenses = { "clarity", "consistency" }, severity = "low", confidence = 0.9,
    fix = "Take one of them out." },
  ["misspelling"] = { lenses = { "clarity", "consistency" }, severity = "info", confidence = 0.9 },
  ["mixed-line-ends"] = { lenses = { "consistency" }, severity = "low", confidence = 0.9,
    fix = "Use one kind of line end in the file." },
  ["mixed-indent"] = { lenses = { "consistency", "correctness" }, severity = "medium", confidence = 0.85,
    fix = "Indent with what the rest of the file uses." },
  ["hidden-characters"] = { lenses = { "security", "risks" }, severity = "high", confidence = 0.9,
    fix = "Take the characters out, or write them as escapes." },
}

local function conflict_markers(view, report)
  if view.d.fixture then return end
  local open, close = {}, 0
  for _, n in ipairs(view.added) do
    local text = view.lines[n].text
    if find(text, "^<<<<<<< %S") or text == "<<<<<<<" or find(text, "^<<<<<<<[%a]") then
      open[#open + 1] = n
    elseif find(text, "^>>>>>>> %S") or text == ">>>>>>>" then
      close = close + 1
      if #open < close then open[#open + 1] = n end
    end
  end
  -- A test of a merge tool holds markers for a purpose; there only a whole one counts, and not in strings.
  for _, n in ipairs(open) do
    local inside = view.lines[n].inside == "string"
    if not (view.test and (inside or close == 0)) and not (inside and close == 0) and not (view.d.kind == "docs" and close == 0) then
      report("conflict-marker", view, n, "A merge conflict was committed unresolved.", { loud = true })
    end
  end
end

local WORDS = { { "TODO", "TODO" }, { "FIXME", "FIXME" }, { "XXX", "XXX" }, { "HACK", "HACK" } }

local function todo_notes(view, report)
  if view.generated or view.d.fixture then return end
  local code = source.known(view.language)
  if not code then return end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    local comment = line.comment
    if comment ~= "" and not line.moved then
      for _, word in ipairs(WORDS) do
        local at = find(comment, "%f[%w]" .. word[1] .. "%f[^%w_]")
        -- A note that leads somewhere is tracked elsewhere.
        if at and not find(comment, "#%d") and not find(comment, "://") and not find(comment, "%u%u+%-%d")
          and not find(sub(comment, at + #word[1], at + #word[1] + 1), "^[%-'\"`s]") then
          report("todo-added", view, n, format("A new %s says that something is not finished.", word[2]),
            { severity = word[1] == "FIXME" and "medium" or nil })
          break
        end
      end
    end
  end
end

local DOUBLED = {}
for word in string.gmatch([[the a an to of and is in for with on it this be are or as at by from was were will can not
  if you your we our has have should would could must may which when then into its their they there than but]],
  "%S+") do DOUBLED[word] = true end

local WRONG = {
  teh = "the", recieve = "receive", recieved = "received", reciever = "receiver", seperate = "separate",
  seperated = "separated", seperator = "separator", occured = "occurred", occurence = "occurrence",
  occuring = "occurring", definately = "definitely", neccessary = "necessary", necesary = "necessary",
  accomodate = "accommodate", acheive = "achieve", succesful = "successful", successfull = "successful",
  succesfully = "successfully", sucess = "success", existance = "existence", independant = "independent",
  wich = "which", whitch = "which", thier = "their", untill = "until", begining = "beginning", beacuse = "because",
  becuase = "because", lenght = "length", widht = "width", heigth = "height", paramter = "parameter",
  paramters = "parameters", arguement = "argument", enviroment = "environment", enviornment = "environment",
  dependancy = "dependency", dependancies = "dependencies", refered = "referred", prefered = "preferred",
  transfered = "transferred", overriden = "overridden", wether = "whether", calender = "calendar",
  adress = "address", commited = "committed", comitted = "committed", persistant = "persistent",
  consistant = "consistent", compatability = "compatibility", compatibilty = "compatibility",
  availble = "available", avaliable = "available", availabe = "available", explicitely = "explicitly",
  implementaion = "implementation", implemention = "implementation", initalize = "initialize",
  intialize = "initialize", propery = "property", responce = "response", retreive = "retrieve", retrive = "retrieve",
  similiar = "similar", temporarly = "temporarily", therefor = "therefore", unneccessary = "unnecessary",
  unecessary = "unnecessary", useage = "usage", usefull = "useful", wierd = "weird", writting = "writing",
  ouput = "output", fucntion = "function", funtion = "function", fuction = "function", retun = "return",
  retrun = "return", treshold = "threshold", priviledge = "privilege", maintainance = "maintenance",
  garantee = "guarantee", gaurantee = "guarantee", explaination = "explanation", recomend = "recommend",
  recomended = "recommended", reccomend = "recommend", absense = "absence", accross = "across", agressive = "aggressive",
  alot = "a lot", ammount = "amount", appropiate = "appropriate", asynchronuous = "asynchronous", basicly = "basically",
  catagory = "category", concious = "conscious", containes = "contains", convertion = "conversion",
  differnt = "different", diffrent = "different", dissapear = "disappear", doesnt = "doesn't", embarass = "embarrass",
  exmaple = "example", exampel = "example", grammer = "grammar", immediatly = "immediately", interupt = "interrupt",
  knowlege = "knowledge", manualy = "manually", mispell = "misspell", occassion = "occasion", orginal = "original",
  posible = "possible", preceeding = "preceding", proccess = "process", publically = "publicly", relevent = "relevant",
  repositry = "repository", resouce = "resource", seach = "search", specifed = "specified", sytem = "system",
  tommorow = "tomorrow", tranform = "transform", unkown = "unknown", vaild = "valid", verison = "version",
}
WRONG.doesnt, WRONG.therefor = nil, nil

-- Prose without code, addresses and markup.
local function prose_of(text)
  text = gsub(text, "`[^`]*`", " , ")
  text = gsub(text, "%a[%w+.-]*://%S+", " , ")
  text = gsub(text, "%]%b()", "] ,")
  text = gsub(text, "<[^>]*>", " , ")
  return text
end

local function check_prose(view, n, prose, previous, report)
  local last = previous
  for gap, word in string.gmatch(prose, "([^%a']*)([%a']+)") do
    local low = lower(word)
    if last and low == last and DOUBLED[low] and find(gap, "^%s*$") and (gap ~= "" or previous == last) then
      report("doubled-word", view, n, format("The word \"%s\" stands twice in a row.", low))
    end
    if WRONG[low] then
      report("misspelling", view, n, format("\"%s\" is misspelt: it is \"%s\".", word, WRONG[low]),
        { fix = format("Write \"%s\".", WRONG[low]) })
    end
    last = low
    previous = nil
  end
  return find(prose, "%a%s*$") and last or nil
end

local function spelling(view, report)
  if view.generated or view.d.fixture then return end
  local docs = view.d.kind == "docs" and view.d.ext ~= "tex" and view.d.ext ~= "bib"
  if not docs and not source.known(view.language) then return end
  local fenced, last, last_n = false, nil, nil
  for i = 1, #view.added do
    local n = view.added[i]
    local line = view.lines[n]
    if not line.moved and #line.text < 2000 then
      local prose = docs and line.text or line.comment
      if docs and find(prose, "^%s*```") then fenced = not fenced end
      if docs and (fenced or find(prose, "^    ") or find(prose, "|", 1, true)) then prose = "" end
      if prose ~= "" then
        prose = prose_of(prose)
        local lead = docs and match(prose, "^%s*[%a']") or match(prose, "^%s*[%a']")
        last = check_prose(view, n, prose, last_n == n - 1 and lead and last or nil, report)
        last_n = n
      end
    end
  end
end

local function line_ends(view, report)
  if view.generated or view.d.fixture or view.d.ext == "bat" or view.d.ext == "cmd" then return end
  local with, without, first = 0, 0, nil
  local other_with, other_without = 0, 0
  for n, line in pairs(view.lines) do
    if line.added then
      if line.cr then
        with = with + 1
        if not first or n < first then first = n end
      else
        without = without + 1
      end
    elseif line.cr then
      other_with = other_with + 1
    else
      other_without = other_without + 1
    end
  end
  if with > 0 and without + other_without > 0 and other_with == 0 then
    report("mixed-line-ends", view, first, "Lines that end in CR LF were added to a file whose lines end in LF.")
  end
end

local function indents(view, report)
  if view.generated or view.language ~= "python" then return end
  local tabs, spaces = 0, 0
  for n, line in pairs(view.lines) do
    if not line.added and not line.inside then
      if find(line.text, "^\t") then tabs = tabs + 1 elseif find(line.text, "^  ") then spaces = spaces + 1 end
    end
    if n > 20000 then break end
  end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    local lead = not line.inside and match(line.code, "^([ \t]+)[^%s#]") or ""
    if (find(lead, "\t", 1, true) and (find(lead, " \t") or (spaces > 3 and tabs == 0)))
      or (find(lead, "^ ") and tabs > 3 and spaces == 0) then
      report("mixed-indent", view, n, "This line is indented with other characters than the rest of the file.")
      return
    end
  end
end

-- Code points that turn the order of a line around, or that nobody sees between letters.
local function hidden(view, report)
  if view.test or view.d.kind == "data" or view.d.kind == "docs" then return end
  for _, n in ipairs(view.added) do
    local text = view.lines[n].text
    if find(text, "\xe2\x80[\xaa-\xae]") or find(text, "\xe2\x81[\xa6-\xa9]") then
      report("hidden-characters", view, n,
        "The line holds characters that reverse the direction of text: it does not read as it runs.", { loud = true })
    elseif find(text, "[%w_]\xe2\x80[\x8b\x8c\x8d][%w_]") and view.d.kind == "code" then
      report("hidden-characters", view, n, "An invisible character stands inside of a word.", { loud = true })
    end
  end
end

---@param view moonlet.rules.View
function M.file(view, report)
  conflict_markers(view, report)
  todo_notes(view, report)
  spelling(view, report)
  line_ends(view, report)
  indents(view, report)
  hidden(view, report)
end

return M
