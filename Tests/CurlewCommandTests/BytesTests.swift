#if Tools
import CurlewBroker
import Foundation
import MosquittoFixture
import Testing

@Suite("Bytes that are not text", .timeLimit(.minutes(3)))
struct BytesTests {
    @Test(
        "Every source of a message keeps its bytes",
        arguments: [
            #"curlew pub -p $PORT -t t -q 1 -m "$B""#,
            #"curlew pub -p $PORT -t t -q 1 "--message=$B""#,
            #"curlew pub -p $PORT -q 1 t "$B""#,
            #"CURLEW_MESSAGE="$B" curlew pub -p $PORT -t t -q 1"#,
            #"printf 'message %s\n' "$B" > options; curlew pub -p $PORT -t t -q 1 -o options"#,
            #"printf %s "$B" > "$B"; curlew pub -p $PORT -t t -q 1 -f "$B""#,
            #"printf %s "$B" | curlew pub -p $PORT -t t -q 1 -s"#,
            #"printf '%s\n' "$B" | curlew pub -p $PORT -t t -q 1 -l"#,
            #"curlew sub -p $PORT -t x --will-topic t --will-payload "$B" --will-qos 1 --ready-fd 3 3>r & while ! [ -s r ]; do :; done; kill -9 $!"#,
        ])
    func payloads(script: String) async throws {
        try await withLocalBroker { broker, port in
            try await withTemporaryFolder { folder in
                let messages = try await broker.subscribe(to: "t")
                // The signal must reach the child, not the shell that runs a function in the background.
                let script = script.replacing("curlew sub", with: "exec_curlew sub")
                let command = try Subprocess.script(
                    "exec_curlew() { exec '\(Subprocess.products.appending(path: "curlew").path)' \"$@\"; }; "
                        + "cd '\(folder)'; B=$(printf '\\377\\344'); \(script)",
                    environment: ["PORT": "\(port)"])
                try command.endInput()
                let outcome = try await command.outcome()
                #expect(outcome.exitCode == 0, "\(outcome.errors)")
                var iterator = messages.makeAsyncIterator()
                #expect(await iterator.next().map { Array($0.payload.readableBytesView) } == [0xFF, 0xE4])
            }
        }
    }

    @Test("Correlation data, replies and formats keep their bytes too")
    func others() async throws {
        try await withLocalBroker { _, port in
            let command = try Subprocess.script(
                """
                B=$(printf '\\377'); R=$(mktemp -u); mkfifo $R
                curlew respond -p $PORT -t t -m "$B" -C 1 --ready-fd 3 3>$R &
                read line < $R; rm $R
                curlew request -p $PORT -t t x -W 60 -F "%x"
                wait
                R=$(mktemp -u); mkfifo $R
                curlew sub -p $PORT -t u -C 1 -q 1 -F "$B%D" --ready-fd 3 3>$R | od -An -tx1 &
                read line < $R; rm $R
                curlew pub -p $PORT -t u -q 1 -n -D publish correlation-data "$B"
                wait
                """, environment: ["PORT": "\(port)"])
            try command.endInput()
            let outcome = try await command.outcome()
            #expect(
                outcome.output.split(whereSeparator: \.isWhitespace) == ["ff", "ff", "ff", "0a"],
                "\(outcome.errors)")
        }
    }

    #if Accounts
    @Test(
        "A password keeps its bytes, regardless of its source",
        arguments: [
            (#"curlew pub -p $PORT -t t -n -u me -P "$B""#, true),
            (#"CURLEW_PASSWORD="$B" curlew pub -p $PORT -t t -n -u me"#, true),
            (#"MQTT_PASSWORD="$B" curlew pub -p $PORT -t t -n -u me"#, true),
            (#"printf %s "$B" > "$B"; curlew pub -p $PORT -t t -n -u me --password-file "$B""#, true),
            (#"curlew pub mqtt://me:%FF%E4@127.0.0.1:$PORT/t -n"#, true),
            (#"curlew pub -p $PORT -t t -n -u me -P "$(printf '\357\277\275')""#, false),
        ])
    func passwords(script: String, isRight: Bool) async throws {
        try await withTemporaryFolder { folder in
            // The file name is not valid UTF-8 either.
            let passwd = try Subprocess.script(
                #"cd "$FOLDER"; B=$(printf '\377\344'); curlew passwd -c -b "$B" me "$B"; mv "$B" users"#,
                environment: ["FOLDER": folder])
            try passwd.endInput()
            try await passwd.success()
            let users = try await MQTTPasswordFile(path: "\(folder)/users")
            try await withLocalBroker({ $0.authenticators = [users] }) { _, port in
                let command = try Subprocess.script(
                    #"cd "$FOLDER"; B=$(printf '\377\344'); \#(script)"#,
                    environment: ["FOLDER": folder, "PORT": "\(port)"])
                try command.endInput()
                let outcome = try await command.outcome()
                #expect((outcome.exitCode == 0) == isRight, "\(outcome.errors)")
                if !isRight { #expect(outcome.errors.contains("the password (-P or --password-file)")) }
            }
        }
    }
    #endif
}
#endif
