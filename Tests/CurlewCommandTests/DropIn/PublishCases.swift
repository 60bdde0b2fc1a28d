#if Tools
extension DropInCase {
    private static func pub(_ arguments: String...) -> DropInCase { DropInCase(.publish, arguments) }

    /// Messages published to `{topic}` are compared as well.
    static let publications: [DropInCase] =
        [
            "-t {topic} -m x", "--topic {topic} --message x", "-t {topic} -m -5", "-t {topic} -n",
            "-t {topic} --null-message -r",
            "-t {topic} -m x -q 1", "-t {topic} -m x --qos 2", "-t {topic} -m x -r",
            "-t {topic} -m x --retain -q 1",
            "-t {topic} -f {folder}/file", "-t {topic} --file {folder}/file -q 2", "-t {topic} -f /dev/null",
            "-t {topic} -m x --repeat 3", "-t {topic} -m x --repeat 2 --repeat-delay 0.05 -q 1",
            "-t {topic} -n --repeat 2",
            "-t {topic} -f {folder}/file --repeat 2", "-t {topic} -m x -V 31", "-t {topic} -m x -V mqttv31",
            "-t {topic} -m x -V 311", "-t {topic} -m x -V mqttv5 -q 1", "-t {topic} -m x -k 10",
            "-t {topic} -m x -i {who}p",
            "-t {topic} -m x -I {who}", "-t {topic} -m x -c -i {who}q", "-t {topic} -m x -x 10 -V 5",
            "-t {topic} -m x -x 10",
            "-t {topic} -m x -M 1 -q 1",
            "-t {topic} -m x --max-inflight 65536".replacing("--max-inflight", with: "-M"),
            "-t {topic} -m x -u me -P secret", "-t {topic} -m x -A 127.0.0.1", "-t {topic} -m x --nodelay --quiet",
            "-t {topic} -m x --will-topic w --will-payload gone --will-qos 1 --will-retain",
            "-t {topic} -m x -D publish content-type text",
            "-t {topic} -m x -V 5 -D PUBLISH content-type text -q 1",
            "-t {topic} -m x -V 5 -D publish user-property a b -D publish user-property a c -D publish response-topic r/t",
            "-t {topic} -m x -V 5 --property publish correlation-data c1 -D publish payload-format-indicator 1",
            "-t {topic} -m x -V 5 -D publish message-expiry-interval 900 -D connect user-property a b",
            "-t {topic} -m x -V 5 -D disconnect user-property a b -D connect session-expiry-interval 5",
            // Errors.
            "-t {topic}", "-m x", "-t {topic}/+ -m x", "-t {topic} -m x -n", "-t {topic} -m x -m y -f z",
            "-t {topic} -m x -q 3",
            "-t {topic} -m x --frob", "-t {topic} -f /nowhere/at/all", "-t {topic} -m x -M 0", "-t {topic} -m x -c",
            "-t {topic} -m x --repeat 0", "-t {topic} -m x --repeat-delay -1", "-t {topic} -m x -P secret -V 311",
            "-t {topic} -m x -h",
            "-t {topic} -m x -V 4", "-t {topic} -l -m x", "-t {topic} -m x --will-payload x",
            "-t {topic} -m x -D publish content-type",
            "-t {topic} -m x -D publish reason-string x",
            "-t {topic} -m x -V 5 -D publish payload-format-indicator 300",
            "-t {topic} -m x --proxy socks5h://127.0.0.1:1", "-t {topic} -m x --unix /nowhere",
            "-t {topic} -m x -S",
            "-t {topic} -m x --cafile /nowhere", "-t {topic} -m x -D auth user-property a b",
        ].map { DropInCase(.publish, $0) }
        + [
            DropInCase(.publish, "-t other -t {topic} -m x").with(\.isForLinkOnly, true),
            .pub("-t", "{topic}", "-l").with(\.input, "one\n\ntwo"),
            .pub("-t", "{topic}", "-l", "-q", "1").with(\.input, "1\n2\n3\n"),
            .pub("-t", "{topic}", "--stdin-line", "-q", "2", "-V", "5").with(\.input, "1\n2\n3\n"),
            .pub("-t", "{topic}", "-l"),
            .pub("-t", "{topic}", "-s").with(\.input, "whole\ninput\n"), .pub("-t", "{topic}", "--stdin-file"),
            .pub("-t", "{topic}", "-s", "--repeat", "2").with(\.input, "whole"),
            .pub("-t", "{topic}", "-m", "x", "-d", "-i", "{who}d").with(\.hasTrace, true),
            .pub("-L", "mqtt://127.0.0.1:{port}/{topic}", "-m", "x").with(\.hasServer, true),
            .pub("-L", "mqtt://me:secret@127.0.0.1:{port}/{topic}", "-m", "x").with(\.hasServer, true),
            .pub("-L", "mqtt://127.0.0.1:{port}", "-m", "x").with(\.hasServer, true),
            .pub("-L", "mqtt://127.0.0.1/{topic}", "-p", "{port}", "-m", "x").with(\.hasServer, true),
            .pub("-t", "{topic}", "-m", "x", "-p", "{closed}").with(\.hasServer, true),
            .pub("-t", "{topic}", "-m", "x", "-p", "{guarded}", "-V", "31").with(\.hasServer, true),
            .pub("-t", "{topic}", "-m", "x", "-p", "{guarded}", "-V", "311", "--quiet").with(\.hasServer, true),
            .pub("-t", "{topic}", "-m", "x", "-p", "{guarded}", "-V", "5", "-u", "me", "-P", "x").with(
                \.hasServer, true),
            .pub("-m", "x").with(\.file, "-t {topic}\n-q 1\n-r\n"),
            .pub("-m", "x", "-q", "0").with(\.file, "# none\n--topic {topic}\n-q 1\n"),
            .pub("-m", "x", "-t", "{topic}").with(\.file, "-v\n").with(\.isForLinkOnly, true),
        ] + Self.secured

    private static func secured(_ line: String) -> DropInCase {
        DropInCase(.publish, "-t {topic} -m x -h localhost -p {tls} \(line)").with(\.hasServer, true)
    }

    private static let pair = "--cert {fixtures}/client.pem --key {fixtures}/client.key.pem"

    private static let secured: [DropInCase] =
        [
            "--cafile {fixtures}/ca.pem \(pair)", "--capath {folder}/authorities \(pair)",
            "--cafile {fixtures}/ca.pem \(pair) --keyform pem",
            "--cafile {fixtures}/ca.pem \(pair) --tls-version tlsv1.2",
            "--cafile {fixtures}/ca.pem \(pair) --tls-version tlsv1.3",
            "--cafile {fixtures}/ca.pem \(pair) --tls-alpn mqtt", "--cafile {fixtures}/ca.pem \(pair) --insecure",
            "--cafile {fixtures}/ca.pem \(pair) --ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256",
            "--cafile {fixtures}/ca.pem --cert {fixtures}/client.pem",
            "--cafile {fixtures}/ca.pem \(pair) --ciphers frob",
            "--cafile {fixtures}/ca.pem --psk 00 --psk-identity me",
        ].map { Self.secured($0) }
        + [
            Self.secured("--cafile {fixtures}/other-ca.pem \(pair)").with(\.failsOtherwise, true),
            Self.secured("--tls-use-os-certs \(pair)").with(\.failsOtherwise, true),
            Self.secured("--cafile {fixtures}/ca.pem").with(\.failsOtherwise, true),
            DropInCase(.publish, "-L mqtts://localhost:{tls}/{topic} -m x --cafile {fixtures}/ca.pem \(pair)")
                .with(\.hasServer, true),
            DropInCase(.publish, "-t {topic} -m x -p {psk} --psk 0aff0102 --psk-identity me").with(
                \.hasServer, true),
            DropInCase(.publish, "-t {topic} -m x -p {psk} --psk 0aff01 --psk-identity me").with(\.hasServer, true)
                .with(\.failsOtherwise, true),
        ]
}
#endif
