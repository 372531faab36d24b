--- Rules about words: doubled ones, and some that are often misspelt. In documents, and in the comments of code.

local shape = require "moonlet.text"
local source = require "rules.source"

local find, format, gsub, lower = string.find, string.format, string.gsub, string.lower

local M = {}

M.rules = {
  ["doubled-word"] = { lenses = { "clarity", "consistency" }, severity = "low", confidence = 0.9,
    fix = "Take one of them out." },
  ["misspelling"] = { lenses = { "clarity", "consistency" }, severity = "info", confidence = 0.9 },
}

local longest = 2000

-- Words of which two in a row are one too many; "that" and "had" are not.
local DOUBLED = shape.set [[the a an to of and is in for with on it this be are or as at by from was were will can not
  if you your we our has have should would could must may which when then into its their they there than but]]

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
  similiar = "similar", temporarly = "temporarily", unneccessary = "unnecessary",
  unecessary = "unnecessary", useage = "usage", usefull = "useful", wierd = "weird", writting = "writing",
  ouput = "output", fucntion = "function", funtion = "function", fuction = "function", retun = "return",
  retrun = "return", treshold = "threshold", priviledge = "privilege", maintainance = "maintenance",
  garantee = "guarantee", gaurantee = "guarantee", explaination = "explanation", recomend = "recommend",
  recomended = "recommended", reccomend = "recommend", absense = "absence", accross = "across",
  agressive = "aggressive", alot = "a lot", ammount = "amount", appropiate = "appropriate",
  asynchronuous = "asynchronous", basicly = "basically",
  catagory = "category", concious = "conscious", containes = "contains", convertion = "conversion",
  differnt = "different", diffrent = "different", dissapear = "disappear", embarass = "embarrass",
  exmaple = "example", exampel = "example", grammer = "grammar", immediatly = "immediately", interupt = "interrupt",
  knowlege = "knowledge", manualy = "manually", mispell = "misspell", occassion = "occasion", orginal = "original",
  posible = "possible", preceeding = "preceding", proccess = "process", publically = "publicly", relevent = "relevant",
  repositry = "repository", resouce = "resource", seach = "search", specifed = "specified", sytem = "system",
  tommorow = "tomorrow", tranform = "transform", unkown = "unknown", vaild = "valid", verison = "version",
}

-- Prose without code, addresses and markup.
local function prose_of(text)
  text = gsub(text, "`[^`]*`", " , ")
  text = gsub(text, "%a[%w+.-]*://%S+", " , ")
  text = gsub(text, "%]%b()", "] ,")
  text = gsub(text, "<[^>]*>", " , ")
  return text
end

-- Words that are names of variables too: "equal to to" may speak of one.
local MAY_BE_NAMES = shape.set "to from of at by on a an its can"

local function is_name(view, word)
  if view.d.kind == "docs" or not MAY_BE_NAMES[word] then return false end
  local shapes = { "%f[%w_]" .. word .. "%s*[,)=.;]" }
  for _, line in pairs(view.lines) do
    if shape.any(line.code, shapes) then return true end
  end
  return false
end

-- Reports the words of one line; `previous` is the word that the line before it ended with.
local function check_line(view, n, prose, previous, report)
  local last, carried = previous, previous
  for gap, word in string.gmatch(prose, "([^%a']*)([%a']+)") do
    local low = lower(word)
    local doubled = low == last and DOUBLED[low] and find(gap, "^%s*$") and (gap ~= "" or carried == last)
    if doubled and not is_name(view, low) then
      report("doubled-word", view, n, format("The word \"%s\" stands twice in a row.", low))
    end
    if WRONG[low] then
      report("misspelling", view, n, format("\"%s\" is misspelt: it is \"%s\".", word, WRONG[low]),
        { fix = format("Write \"%s\".", WRONG[low]) })
    end
    last, carried = low, nil
  end
  return find(prose, "%a%s*$") and last or nil
end

-- The prose of each added line: of documents all but code and tables, of code the comments.
local function prose_lines(view)
  local docs, list, fenced = view.d.kind == "docs", {}, false
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if docs and find(line.text, "^%s*```") then fenced = not fenced end
    local code = docs and (fenced or find(line.text, "^    ") or find(line.text, "|", 1, true))
    local text = docs and line.text or line.comment
    -- A word alone stands in a list of words.
    local prose = text ~= "" and find(text, "%S%s+%S")
    if prose and not code and not line.moved and #line.text < longest then
      list[#list + 1] = { n = n, text = prose_of(text) }
    end
  end
  return list
end

---@param view rules.View
function M.file(view, report)
  if view.generated or view.d.fixture or view.d.ext == "tex" or view.d.ext == "bib" then return end
  if view.d.kind ~= "docs" and not source.known(view.language) then return end
  local last, before
  for _, item in ipairs(prose_lines(view)) do
    local follows = before == item.n - 1 and find(item.text, "^%s*[%a']")
    last, before = check_line(view, item.n, item.text, follows and last or nil, report), item.n
  end
end

return M
