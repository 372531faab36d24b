--- The words of languages other than English.
local list = require("moonlet.phrases").list
local set = require("moonlet.text").set

-- A list has patterns, with | between them; they are looked for between spaces.
return {
  languages = {
    {
      name = "de",
      small = set [[der die das den dem des ein eine einen einem einer und oder ist sind nicht kein keine keinen
        keiner mit von für auf im zum zur bei nur wir ich du ihr bitte immer nie auch als wenn dass soll sollen muss
        müssen statt jede jeder jedes neue werden wird darf dürfen sie es zu so an aus nach über unter vor ohne mich
        mir unsere alle sich am]],
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
      orders = set [[verwende verwendet verwenden nutze nutzt schreib schreibe schreibt antworte antwortet halte
        halt achte achtet vermeide vermeidet frag frage zeig zeige benutze lass lasse mach mache bleib bleibe prüfe
        teste formuliere formatiere benenne kommentiere gib nenne setze stelle lege fasse sprich begründe erkläre
        dokumentiere führe]],
      no = "^keine?[nrm]? ", ends_order = "en$", request = "^bitte ",
      once = list [[heute | morgen | gestern | diese woche | nächste woche | letzte woche | bis freitag | bis montag |
        bis
        dienstag | bis mittwoch | bis donnerstag | dieses mal | diesmal | gerade | vorerst | übergangsweise |
        vielleicht | eventuell | könnten | könnte | würde | würden | falls wir | in dieser datei | in diesem pr]],
      past = list [[war | waren | wurde | wurden | hatte | hatten | hat %S+ ge%l+ | stammt | ging | kam | gab]],
    },
    {
      name = "fr",
      small = set [[le la les un une des du de et ou est sont ne pas jamais toujours dans pour sur avec sans en que
        qui il elle on nous vous je tu ce cette ces au aux plus mais si tout tous chaque doit doivent merci sont
        leur par]],
      strong = list [[toujours | jamais | dorénavant | désormais | à l'avenir | systématiquement | interdit |
        obligatoire | merci de | s'il te plaît | s'il vous plaît | uniquement | exclusivement | impérativement |
        à partir de maintenant | pas de]],
      should = list [[doit | doivent | faut | devrait | devraient]],
      wish = list [[je préfère | je n'aime pas | j'aime | je déteste | je veux | je souhaite | j'aimerais | on préfère |
        nous préférons | plutôt que | au lieu d[e'] | plutôt]],
      habit = list [[on utilise | nous utilisons | on écrit | on évite | nous évitons | on garde]],
      orders = set [[utilise utilisez utiliser écris écrivez réponds répondez répondre évite évitez éviter garde
        gardez préfère préférer préférez vérifie vérifiez demande demandez ajoute ajoutez lance lancez]],
      no = "^pas d[e'] ?", request = "^merci de ",
      once = list [[aujourd'hui | demain | hier | cette semaine | la semaine prochaine | peut%-être | pourrait |
        pourrions | on pourrait | cette fois | pour l'instant]],
      past = list [[était | étaient | avait | a été | ont été | avons]],
    },
    {
      name = "es",
      small = set [[el la los las un una unos unas de del y o es son no nunca siempre en para por con sin que se al
        lo más pero si cada todo todos debe deben hay su sus este esta estos estas como nos antes después nombres
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
      small = set [[il lo la gli le un una di del della dei e o è sono non mai sempre in per su con senza che si al
        nel più ma se ogni tutto tutti deve devono questo questa]],
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
      small = set [[o os a as um uma de do da dos das e ou é são não nunca sempre em para por com sem que se ao no
        na mais mas cada todo todos deve devem este esta]],
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
      small = set [[og i jeg det at en et den til er som på de med han av ikke der så var meg seg men ett har om vi
        min mitt ha hadde hun nå over da ved fra du ut sin dem oss opp man kan hans hvor eller hva skal selv her
        alle vil bli ble aldri alltid brukes bruker bruk må bør uten før etter også norsk engelsk när och att för
        inte är som av vi ska]],
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
      small = set [[de het een en of is zijn niet geen met van voor op in bij naar aan we wij ik je jij altijd nooit
        ook als dat die deze moet moeten mag mogen alleen elke ieder door uit over onze alle]],
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
  },
  leads = { "^und ", "^aber ", "^also:? ", "^auch ", "^et ", "^y ", "^beschluss: ", "^beschlossen: ", "^regel: ",
    "^entscheidung: ", "^wichtig: ", "^merke: ", "^hinweis: ", "^wunsch: ", "^zur arbeitsweise: ", "^decisión: ",
    "^règle: ", "^regla: ", "^décision: ", "^important: ", "^importante: ", "^regola: ", "^afspraak: " },
}
