#if Tools
extension DropInCase {
    private static func sub(_ arguments: String...) -> DropInCase { DropInCase(.subscribe, arguments) }

    /// A format, in both versions: 3.1.1 has no properties to show.
    private static func format(_ format: String, topic: String = "s/text") -> [DropInCase] {
        ["311", "5"].map { .sub("-t", topic, "-C", "1", "-q", "1", "-V", $0, "-F", format) }
    }

    /// Every code of `-F`.
    static let formats: [DropInCase] =
        [
            "%%|%A|%C|%D|%F|%l|%m|%P|%p|%q|%R|%r|%S|%t|%x|%X|", "%j %J",
            #"%20C|%-20C|%.3C|%10.3C|%-10.3C|%020C|%20R|%-20R|%.3R|%20t|%-20t|%.1t|%5.0t|%-012.3t\\|\0|\a|\e|\n|\r|\t|\v"#,
            "%10p|%-10p|%010p|%3p|%-3p|%.2p|%10.2p|%-p|%0p@@|@%|@n|@t|é%té|%20x|%-20x|%020x|%3x|%5x|%.2x|%4X|%-x|%-X|%-3x",
            "%10l|%-10l|%010l|%-010l|%.3l|%10m|%010m|%3q|%3r|%10A|%010A|%-10A|%10S|%010S|%-5S|%10F|%010F|%-10F|%30P|%30D|%5%|%050.2%",
            "plain", "",
        ].flatMap { Self.format($0) }
        + ["%I|%40I|%-40I|%.4I|%U", "@Y-@m-@d @H:@M:@S.@N @z @j @s @A@B@a@b"].flatMap { Self.format($0) }
        .map { $0.with(\.masksDigits, true) }
        + Self.format("%E|%10E|%010E|%-10E", topic: "s/expiring").map { $0.with(\.masksDigits, true) }
        + [
            .sub("-t", "json/#", "-C", "{jsons}", "-F", "<%J>"),
            .sub("-t", "json/#", "-C", "{jsons}", "-F", "%J", "--pretty"),
            .sub("-t", "json/#", "-C", "{jsons}", "-F", "<%j>"),
            .sub("-t", "bytes/#", "-C", "3", "-F", "%x"), .sub("-t", "bytes/#", "-C", "3", "-F", "%X|%3p|%l|%p"),
            .sub("-t", "bytes/#", "-C", "3", "-F", "%j"), .sub("-t", "bytes/#", "-C", "3", "-F", "%J"),
            .sub("-t", "bytes/#", "-C", "3"),
            .sub("-t", "s/text", "-C", "1", "-F", "%j", "--pretty", "-V", "5", "-N"),
            .sub("-t", "s/text", "-C", "1", "-F", "%p", "-v", "-N"),
            .sub(
                "-t", "s/text", "-C", "1", "-V", "5", "-D", "subscribe", "subscription-identifier", "7", "-F",
                "%S|%5S|%05S|%j"),
        ]
        + ["%", "%z", #"\z"#, "@", "%5", #"a\"#, "%-", "%.", "%0"].map { .sub("-t", "s/text", "-C", "1", "-F", $0) }

    /// Payloads under `json/` for `%J`, which is as lenient as mosquitto's JSON parser.
    static let jsons = [
        #"{"a" : 1.50, "b":[1,2, 3],"c":{},"d":[],"e":1e10,"f":12345678901234567890,"g":0.1,"i":null,"j":true,"k":1E-7}"#,
        #"{"h":"\u00e9\u0001\/\"\\ \ud83d\ude00","l":-0,"a":2,"m":3.141592653589793,"n":1e400,"o":-1.5e-300,"p":2147483648}"#,
        #"{"a":[{"b":[[]]},{}], "q":100000000000000000000}"#, "12", #""x""#, " [1] ", "[1]x", #"{"a":}"#, "nope",
        "01",
        "1.", "+1", "-", "[1,]", "{'a':1}", "\"a\tb\"", #""\ud800""#, "123456.789e3", #""\u0000x""#, "tru",
        #""unterminated"#, "[1 2]", "0.30000000000000004", "5e-324", "1.7976931348623157e308", #""\q""#, "1e",
        "0x10",
        "false", "[1]  [2]", "\u{FEFF}[1]", "-.5", "{\"a\":1", "é",
        String(repeating: "[", count: 1000) + String(repeating: "]", count: 1000),
        String(repeating: "[", count: 1001) + String(repeating: "]", count: 1001),
    ]

    static let subscriptions: [DropInCase] =
        [
            "-t s/text -C 1", "--topic s/text -C 1 --verbose", "-t s/text -C 1 -v", "-t s/text -C 1 -N",
            "-t s/text -C 1 -v -N", "-t s/tree/# -C 3 -v", "-t s/tree/a -t s/tree/b -C 2 -v",
            "-t s/tree/# -C 1 -v -T s/tree/a -T s/tree/c", "-t s/tree/# -C 2 -v --filter-out s/tree/b",
            "-t s/tree/+ -W 3 -v -R", "-t s/tree/# --retained-only -W 3 -v", "-t s/text -R --retained-only",
            "-t s/text -E", "-t s/text -t s/other -E -q 2", "-t s/text -E -U s/one -U s/two",
            "-t s/text --unsubscribe s/one -E -V 5", "-t s/text -W 3", "-t nothing -W 1", "-t nothing -W 1 --quiet",
            "-t s/text -C 1 -q 1 --qos 2 -F %q", "-t s/text -C 1 -V mqttv31", "-t s/text -C 1 -V mqttv311",
            "-t s/text -C 1 -V mqttv5 -F %C", "-t s/text -C 1 --protocol-version 31", "-t s/text -C 1 -k 30",
            "-t s/text -C 1 --keepalive 30", "-t s/text -C 1 -i {who}1", "-t s/text -C 1 --id {who}2",
            "-t s/text -C 1 -I {who}", "-t s/text -C 1 --id-prefix {who}", "-t s/text -C 1 -h 127.0.0.1",
            "-t s/text -C 1 --host localhost", "-t s/text -C 1 -A 127.0.0.1", "-t s/text -C 1 --nodelay",
            "-t s/text -C 1 -M 3", "-t s/text -C 1 -u me -P secret", "-t s/text -C 1 --username me --pw secret",
            "-t s/text -C 1 --retain-as-published -F %r", "-t s/text -C 1 --retain-as-published -F %r -V 5",
            "-t s/text -c -i {who}3 -C 1",
            "-t s/text -c -i {who}4 -V 5 -x 60 -C 1",
            "-t s/text --disable-clean-session -i {who}5 -x ∞ -V 5 -C 1", "-t s/text -i {who}6 -x -1 -V 5 -C 1",
            "-t s/text -C 1 --will-topic w",
            "-t s/text -C 1 --will-topic w --will-payload x --will-qos 2 --will-retain",
            "-t s/text -C 1 -V 5 -D connect user-property a b -D connect receive-maximum 20 --property subscribe user-property a b",
            "-t s/text -U s/one -E -V 5 -D unsubscribe user-property a b -D disconnect user-property a b",
            "-t s/text -C 1 -D disconnect session-expiry-interval 0 -V 5", "-t s/text -x 5 -C 1",
            "-t s/text -C 1 -D connect topic-alias-maximum 3 -F %C",
            "-t s/text -C 1 -D connect maximum-packet-size 9000",
            "-t s/text -E -V 5 -D connect session-expiry-interval 5 -D connect request-problem-information 0",
            "-t s/text -E -V 5 -D connect request-response-information 1",
            "-t s/text -E -V 5 --will-topic w -D will will-delay-interval 5 -D will content-type x -D will user-property a b",
            "-t s/text -E -V 5 --will-topic w -D will response-topic r -D will correlation-data c -D will message-expiry-interval 9 -D will payload-format-indicator 1",
            // Errors.
            "-t s/text -C 0", "-t s/text -C x", "-t s/text -W 0", "-t a/#/b", "-t a+", "", "-t s/text -q 3",
            "-t s/text -V 4",
            "-t s/text --frob", "-t s/text -S", "-t s/text -p 0", "-t s/text -p x", "-t s/text -k 65536",
            "-t s/text -c",
            "-t s/text -c -V 5", "-t s/text -i a -I b", "-t s/text -M 0", "-t s/text -x y -V 5", "-t",
            "-t s/text -T a/#/b",
            "-t s/text -U a/#/b", "-t s/text --will-payload x", "-t s/text --will-retain",
            "-t s/text --will-topic a/+",
            "-t s/text --will-topic a --will-qos 3", "-t s/text --cert x", "-t s/text --psk 00",
            "-t s/text --random-filter 0",
            "-t s/text --tls-version 4", "-t s/text -D frob a b", "-t s/text -D connect frob b",
            "-t s/text -D connect",
            "-t s/text -D connect content-type x", "-t s/text -D connect receive-maximum 0 -V 5",
            "-t s/text --keyform pem",
            "-t s/text -D connect receive-maximum 65536 -V 5", "-t s/text -E -P secret -V 311",
            "-t s/text -h nosuch.invalid -E",
            "-t s/text --proxy socks5h://127.0.0.1:1 -E", "-t s/text --unix /nowhere -E",
            "-t s/text -A 203.0.113.1 -E",
            "-t s/text -D puback user-property a b",
        ].map { DropInCase(.subscribe, $0) }
        + [
            .sub("-t", "s/text", "-C", "1", "-d", "-i", "{who}7").with(\.hasTrace, true),
            .sub("-L", "mqtt://127.0.0.1:{port}/s/text", "-C", "1").with(\.hasServer, true),
            .sub("--url", "mqtt://me:secret@127.0.0.1:{port}/s/text", "-t", "s/tree/a", "-C", "2")
                .with(\.hasServer, true),
            .sub("-L", "frob://127.0.0.1:{port}/s/text", "-C", "1").with(\.hasServer, true),
            .sub("-t", "s/text", "-C", "1", "-p", "{closed}").with(\.hasServer, true),
            .sub("-t", "s/text", "-C", "1", "-p", "{guarded}", "-V", "31").with(\.hasServer, true),
            .sub("-t", "s/text", "-C", "1", "-p", "{guarded}", "-V", "311", "-u", "me", "-P", "x").with(
                \.hasServer, true),
            .sub("-t", "s/text", "-C", "1", "-p", "{guarded}", "-V", "5", "--quiet").with(\.hasServer, true),
            .sub("-C", "2", "-v", "-q", "1").with(
                \.file, "# a comment\n-t s/tree/a\n--topic s/tree/b\n-q 2\n\n-F %q %t\n"),
            .sub("-t", "s/text").with(\.file, "--frob\n"),
        ]
}
#endif
