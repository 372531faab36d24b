--- Wishes in other languages than English: German, French, Spanish, Italian, Portuguese, Dutch. They keep their
--- wording; what makes a wish of a sentence is told by the words for always, never, please, must, instead of.
local W = require "words"
local wording = require "wording"

local find, gsub, lower, match, sub = string.find, string.gsub, string.lower, string.match, string.sub

local M = {}

local function set(text)
  local result = {}
  for word in string.gmatch(text, "%S+") do result[word] = true end
  return result
end

-- Patterns, one a |; they are looked for between spaces.
local function list(text)
  local result = {}
  for pattern in string.gmatch(text, "[^|]+") do result[#result + 1] = match(pattern, "^%s*(.-)%s*$") end
  return result
end

local LETTERS = "[%w\128-\255]"

--- Lower case, also of the letters with accents that these languages have.
---@param text string
---@return string
function M.fold(text)
  return (gsub(lower(text), "\195([\128-\158])", function(byte)
    return "\195" .. string.char(string.byte(byte) + 32)
  end))
end

local LANGUAGES = {
  {
    name = "de",
    small = set [[der die das den dem des ein eine einen einem einer und oder ist sind nicht kein keine keinen keiner
      mit von für auf im zum zur bei nur wir ich du ihr bitte immer nie auch als wenn dass soll sollen muss müssen
      statt jede jeder jedes neue werden wird darf dürfen sie es zu so an aus nach über unter vor ohne mich mir unsere
      alle sich am]],
    strong = list [[immer | nie | niemals | stets | grundsätzlich | ab sofort | künftig | in zukunft | ab jetzt |
      nur noch |
      auf keinen fall | unbedingt | ausnahmslos | keinesfalls | bitte keine?[nrm]? | verboten | pflicht | tabu | nicht
      erlaubt | unerwünscht | nur mit | nur als | nur nach | nur in | nur auf | ausschließlich | prinzipiell |
      standardmäßig | jedes mal | beim nächsten mal]],
    should = list [[sollen? | sollten? | müssen | muss | dürfen | darf | gehör[et]n? | haben zu | hat zu]],
    wish = list [[ich bevorzuge | ich mag | ich möchte | ich will | ich hasse | ich hätte | ich wünsche |
      ich brauche | mir ist wichtig | mir wäre | mich stört | mich nervt | es stört mich | es nervt mich | lieber |
      bevorzugt | wir bevorzugen | der nutzer möchte | die nutzerin möchte | am liebsten | statt | anstatt |
      anstelle]],
    habit = list [[wir verwenden | verwenden wir | wir nutzen | nutzen wir | wir benutzen | benutzen wir |
      wir schreiben |
      schreiben wir | wir vermeiden | vermeiden wir | wir halten | wir duzen | wir siezen | wir setzen | wir testen |
      wir committen | wir mergen | wir loggen | wir dokumentieren | wir bekommen | bekommt eine?n? | braucht eine?n? |
      heißen | steht am | stehen am | kommen? in | kommen? nach | bleibt? | erfolg[et]n?]],
    orders = set [[verwende verwendet verwenden nutze nutzt schreib schreibe schreibt antworte antwortet halte halt
      achte achtet vermeide vermeidet frag frage zeig zeige benutze lass lasse mach mache bleib bleibe prüfe teste
      formuliere formatiere benenne kommentiere gib nenne setze stelle lege fasse sprich begründe erkläre dokumentiere
      führe]],
    no = "^keine?[nrm]? ", ends_order = "en$", request = "^bitte ",
    once = list [[heute | morgen | gestern | diese woche | nächste woche | letzte woche | bis freitag | bis montag |
      bis
      dienstag | bis mittwoch | bis donnerstag | dieses mal | diesmal | gerade | vorerst | übergangsweise |
      vielleicht | eventuell | könnten | könnte | würde | würden | falls wir | in dieser datei | in diesem pr]],
    past = list [[war | waren | wurde | wurden | hatte | hatten | hat %S+ ge%l+ | stammt | ging | kam | gab]],
  },
  {
    name = "fr",
    small = set [[le la les un une des du de et ou est sont ne pas jamais toujours dans pour sur avec sans en que qui
      il elle on nous vous je tu ce cette ces au aux plus mais si tout tous chaque doit doivent merci sont leur par]],
    strong = list [[toujours | jamais | dorénavant | désormais | à l'avenir | systématiquement | interdit |
      obligatoire | merci de | s'il te plaît | s'il vous plaît | uniquement | exclusivement | impérativement |
      à partir de maintenant | pas de]],
    should = list [[doit | doivent | faut | devrait | devraient]],
    wish = list [[je préfère | je n'aime pas | j'aime | je déteste | je veux | je souhaite | j'aimerais | on préfère |
      nous préférons | plutôt que | au lieu d[e'] | plutôt]],
    habit = list [[on utilise | nous utilisons | on écrit | on évite | nous évitons | on garde]],
    orders = set [[utilise utilisez utiliser écris écrivez réponds répondez répondre évite évitez éviter garde gardez
      préfère préférer préférez vérifie vérifiez demande demandez ajoute ajoutez lance lancez]],
    no = "^pas d[e'] ?", request = "^merci de ",
    once = list [[aujourd'hui | demain | hier | cette semaine | la semaine prochaine | peut%-être | pourrait |
      pourrions | on pourrait | cette fois | pour l'instant]],
    past = list [[était | étaient | avait | a été | ont été | avons]],
  },
  {
    name = "es",
    small = set [[el la los las un una unos unas de del y o es son no nunca siempre en para por con sin que se al lo
      más pero si cada todo todos debe deben hay su sus este esta estos estas como nos antes después nombres
      mensajes]],
    strong = list [[siempre | nunca | jamás | de ahora en adelante | a partir de ahora | en adelante | prohibido |
      prohibida | obligatorio | obligatoria | por favor | solo con | únicamente | nada de | en el futuro]],
    should = list [[debe | deben | debería incluir | hay que | tiene que | tienen que | se debe | se deben]],
    wish = list [[prefiero | no me gusta | me gusta | odio | quiero | preferimos | el usuario prefiere | en lugar de |
      en vez de | antes que]],
    habit = list [[usamos | utilizamos | escribimos | evitamos]],
    orders = set [[usa usar use utiliza utilizar escribe escribir responde responder evita evitar prefiere ejecuta
      ejecutar añade añadir comprueba pregunta preguntar mantén mantener]],
    no = "^no ", no_order = "^no %S+[aei]r ", request = "^por favor,? ",
    once = list [[hoy | mañana | ayer | esta semana | la próxima semana | quizás | quizá | tal vez | podríamos |
      deberíamos probar | esta vez | por ahora]],
    past = list [[era | eran | fue | fueron | había | estaba | estuvo]],
  },
  {
    name = "it",
    small = set [[il lo la gli le un una di del della dei e o è sono non mai sempre in per su con senza che si al nel
      più ma se ogni tutto tutti deve devono questo questa]],
    strong = list [[sempre | mai | d'ora in poi | in futuro | vietato | obbligatorio | per favore | esclusivamente]],
    should = list [[deve | devono | bisogna | dovrebbe | dovrebbero]],
    wish = list [[preferisco | non mi piace | mi piace | odio | voglio | preferiamo | invece di | piuttosto che]],
    habit = list [[usiamo | utilizziamo | scriviamo | evitiamo]],
    orders = set [[usa usare utilizza scrivi scrivere rispondi rispondere evita evitare preferisci esegui eseguire]],
    no = "^niente ", no_order = "^non %S+re ", request = "^per favore,? ",
    once = list [[oggi | domani | ieri | questa settimana | forse | potremmo | stavolta | per ora]],
    past = list [[era | erano | fu | aveva | è stato | sono stati]],
  },
  {
    name = "pt",
    small = set [[o os a as um uma de do da dos das e ou é são não nunca sempre em para por com sem que se ao no na
      mais mas cada todo todos deve devem este esta]],
    strong = list [[sempre | nunca | jamais | daqui em diante | a partir de agora | proibido | obrigatório |
      por favor | somente | apenas com]],
    should = list [[deve | devem | tem que | é preciso]],
    wish = list [[prefiro | não gosto | gosto de | odeio | quero | preferimos | em vez de | ao invés de]],
    habit = list [[usamos | utilizamos | escrevemos | evitamos]],
    orders = set [[use usar utilize escreva escrever responda responder evite evitar prefira execute]],
    no = "^nada de ", no_order = "^não %S+r ", request = "^por favor,? ",
    once = list [[hoje | amanhã | ontem | esta semana | talvez | poderíamos | desta vez | por enquanto]],
    past = list [[era | eram | foi | foram | tinha | estava]],
  },
  {
    name = "no",
    small = set [[og i jeg det at en et den til er som på de med han av ikke der så var meg seg men ett har om vi min
      mitt
      ha hadde hun nå over da ved fra du ut sin dem oss opp man kan hans hvor eller hva skal selv her alle vil bli ble
      aldri alltid brukes bruker bruk må bør uten før etter også norsk engelsk när och att för inte är som av vi ska]],
    strong = list [[alltid | aldri | fra nå av | heretter | i fremtiden | forbudt | påkrevd | bare | kun | aldrig |
      altid |
      fremover | vær så snill | för alltid | alltid | hädanefter | fra nu af | alle skal]],
    should = list [[må | skal | bør | ska | måste | skal ikke | skulle]],
    wish = list [[jeg foretrekker | jeg liker | jeg liker ikke | jeg hater | jeg vil ha | vi foretrekker |
      i stedet for |
      heller enn | jag föredrar | jag gillar | istället för | jeg foretrækker]],
    habit = list [[vi bruker | vi skriver | vi unngår | vi använder | vi skriver | vi bruger]],
    orders = set [[bruk skriv svar unngå hold spør vis test använd undvik brug undgå]],
    no = "^ingen ", request = "^vennligst ",
    once = list [[i dag | i morgen | i går | denne uken | neste uke | kanskje | idag | imorgon | foreløpig]],
    past = list [[var | ble | hadde | blev | hade]],
  },
  {
    name = "nl",
    small = set [[de het een en of is zijn niet geen met van voor op in bij naar aan we wij ik je jij altijd nooit ook
      als dat die deze moet moeten mag mogen alleen elke ieder door uit over onze alle]],
    strong = list [[altijd | nooit | voortaan | vanaf nu | in het vervolg | verboden | verplicht | alsjeblieft |
      alstublieft | graag geen | alleen nog | uitsluitend]],
    should = list [[moet | moeten | mag | mogen | hoort | horen]],
    wish = list [[ik heb liever | liever | ik wil | ik haat | ik houd niet van | in plaats van | bij voorkeur]],
    habit = list [[we gebruiken | wij gebruiken | gebruiken we | we schrijven | we vermijden]],
    orders = set [[gebruik schrijf antwoord vermijd houd vraag geef toon test noem]],
    no = "^geen ", request = "^graag ",
    once = list [[vandaag | morgen | gisteren | deze week | volgende week | misschien | zouden | deze keer]],
    past = list [[was | waren | werd | werden | had | hadden]],
  },
}

local function has(padded, patterns)
  for i = 1, #patterns do
    if find(padded, "%f[%w\128-\255]" .. patterns[i] .. "%f[^%w\128-\255]") then return true end
  end
  return false
end

---The language of a sentence that is not English, or nil.
---@param low string of fold
---@return table? language
function M.language(low)
  local english, best, most = 0, nil, 0
  local words = 0
  for word in string.gmatch(low, LETTERS .. "+") do
    words = words + 1
    if W.english[word] then english = english + 1 end
  end
  for _, language in ipairs(LANGUAGES) do
    local count = 0
    for word in string.gmatch(low, LETTERS .. "+") do
      if language.small[word] then count = count + 1 end
    end
    if count > most then best, most = language, count end
  end
  if not best or most <= english then return nil end
  if most * 8 < words or most < 2 and words > 4 and not find(low, "[\195-\197]") then return nil end
  return best
end

local LEADS = { "^und ", "^aber ", "^also:? ", "^auch ", "^et ", "^y ", "^beschluss: ", "^beschlossen: ", "^regel: ",
  "^entscheidung: ", "^wichtig: ", "^merke: ", "^hinweis: ", "^wunsch: ", "^zur arbeitsweise: ", "^decisión: ",
  "^règle: ", "^regla: ", "^décision: ", "^important: ", "^importante: ", "^regola: ", "^afspraak: " }

local function without_leads(text, marks)
  for _ = 1, 3 do
    local low = M.fold(text)
    for i = 1, #LEADS do
      local _, last = find(low, LEADS[i])
      if last then
        if find(LEADS[i], ":") then marks.label = true end
        text = sub(text, last + 1)
        break
      end
    end
  end
  return text
end

---What a sentence in another language wishes, or nil; the second result tells that it is in another language.
---@param text string veiled and plain
---@param unit table
---@param marks table
---@return {form: string, text: string}? result, boolean foreign
function M.read(text, unit, marks)
  local low = M.fold(text)
  local language = M.language(low)
  if not language then return nil, false end
  text = without_leads(text, marks)
  low = M.fold(text)
  local bare = gsub(low, "[%.!]+$", "")
  if find(text, "%?%W*$") or has(bare, language.once) or has(bare, language.past) then return nil, true end
  local count = wording.words_in(bare)
  if count < 2 or count > 40 then return nil, true end
  local first = match(bare, "^" .. LETTERS .. "+") or ""
  local last = match(bare, "(" .. LETTERS .. "+)$") or ""
  local request = find(bare, language.request) or find(bare, "%f[%w]bitte%f[%W]")
  local general = unit.level == "rules" or unit.kind == "instructions" or unit.kind == "memory"
  local sure
  if has(bare, language.strong) then
    sure, marks.strong = true, true
  elseif has(bare, language.wish) then
    sure, marks.preference = true, true
    if find(bare, "%f[%w]ich%f[%W]") or find(bare, "^je ") or find(bare, "^j'") then marks.user = true end
  elseif find(bare, language.no) and (unit.list or general or unit.kind == "chat")
    or language.no_order and find(bare, language.no_order) then
    sure, marks.strong = true, true
  elseif language.orders[first] and (general or unit.list) then
    sure = true
  elseif request and (general or unit.list or find(last, language.ends_order or "r$")) then
    sure, marks.request = true, true
  elseif has(bare, language.should) and (general or unit.list or unit.kind == "decision" or unit.kind == "review"
    or unit.kind == "guide" or marks.label) then
    sure, marks.should = true, true
  elseif has(bare, language.habit) and (general or unit.list or unit.kind == "decision" or marks.label) then
    sure, marks.habit = true, true
  elseif marks.label and count >= 3 then
    sure = true
  elseif unit.level == "rules" and count >= 3 and not find(text, ":%s*$") then
    -- Under such a heading a sentence in the present is a rule, unless it tells of one thing.
    local one = find(bare, "^de[rn] ") or find(bare, "^das ") or find(bare, "^die ") or find(bare, "^unser")
      or find(bare, "^l[ea] ") or find(bare, "^el ") or find(bare, "^il ")
    sure = not one or nil
    marks.habit = sure
  end
  if not sure then return nil, true end
  if find(" " .. bare, " nicht ") or find(" " .. bare, " keine?[nrm]? ") or find(" " .. bare, " nie%l* ")
    or find(" " .. bare, " n[eo]n? ") or find(" " .. bare, " nunca ") or find(" " .. bare, " jamais ")
    or find(" " .. bare, " geen ") or find(" " .. bare, " nooit ") or find(" " .. bare, " vermeid")
    or find(" " .. bare, " [ée]vit") then
    marks.negative = true
  end
  return { form = marks.negative and "dont" or "do", text = text, language = language.name }, true
end

return M
