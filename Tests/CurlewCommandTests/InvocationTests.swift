#if Tools
    import ArgumentParser
    import Testing

    @testable import CurlewCommand

    @Suite("How the command was called")
    struct InvocationTests {
        private func arguments(
            _ words: String, _ variables: [String: String] = [:], file: String? = nil
        ) throws -> [String] {
            let variables = variables.merging(["HOME": "/home/me"]) { own, _ in own }
            return try Invocation(words.split(separator: " ").map(String.init)) {
                variables[$0]
            } readFile: { path in
                path == "/home/me/.config/\(words.prefix { $0 != " " })" || path == "/own" ? file : nil
            }.arguments
        }

        @Test("Arguments win over the environment, and that over the file")
        func layers() throws {
            #expect(
                try self.arguments(
                    "curlew sub -q 1", ["CURLEW_COUNT": "2", "CURLEW_QOS": "2"], file: "count 3\n-v\nqos 0\n")
                    == ["sub", "-v", "--count", "2", "-q", "1"])
        }

        @Test("What is said in another way gives way as well")
        func subjects() throws {
            let file = "message x\nhost a\nport 1\n-F %p\n-i me\n-P secret\n"
            #expect(
                try self.arguments("curlew pub -n", file: file) == [
                    "pub", "--host", "a", "--port", "1", "-i", "me", "-P", "secret", "-n",
                ])
            #expect(
                try self.arguments("curlew pub mqtt://b -n -I you --password-file f", file: file)
                    == ["pub", "mqtt://b", "-n", "-I", "you", "--password-file", "f"])
            #expect(
                try self.arguments("curlew sub", ["MQTT_URL": "mqtt://c", "CURLEW_OUTPUT": "json"], file: file)
                    == ["sub", "-i", "me", "-P", "secret", "--output", "json"])
        }

        @Test("The words of a property stay together")
        func properties() throws {
            #expect(
                try self.arguments("curlew pub -D publish user-property a b -D publish content-type c -n")
                    == [
                        "pub", "-D", "publish\u{1F}user-property\u{1F}a\u{1F}b", "-D",
                        "publish\u{1F}content-type\u{1F}c", "-n",
                    ])
            #expect(
                try self.arguments("curlew pub -n", file: "-D publish content-type a b\n")
                    == ["pub", "-D", "publish\u{1F}content-type\u{1F}a b", "-n"])
        }

        @Test("A flag in the environment is true or false")
        func flags() throws {
            #expect(try self.arguments("curlew pub -n", ["CURLEW_RETAIN": "yes"]) == ["pub", "--retain", "-n"])
            #expect(try self.arguments("curlew pub -n", ["CURLEW_RETAIN": "off"]) == ["pub", "-n"])
            #expect(throws: Failure.self) { try self.arguments("curlew pub -n", ["CURLEW_RETAIN": "maybe"]) }
        }

        @Test("Through a link, the command has mosquitto's name, file and habits, and no environment")
        func links() throws {
            #expect(
                try self.arguments("mosquitto_pub -t a -m x -t b", ["CURLEW_QOS": "1"], file: "-t c\n-r\n")
                    == ["pub", "--as-mosquitto", "-r", "-m", "x", "-t", "b"])
            #expect(
                try self.arguments("mosquitto_sub -t a", file: "# none\n-t b\n") == [
                    "sub", "--as-mosquitto", "-t", "b", "-t", "a",
                ])
            #expect(try self.arguments("mosquitto_rr -n") == ["request", "--as-mosquitto", "-n"])
            #expect(throws: Failure.self) { try self.arguments("mosquitto_pub -n", file: "qos 1\n") }
        }

        @Test("The broker has variables of its own, and takes none that are meant for clients")
        func broker() throws {
            let variables = [
                "CURLEW_PORT": "1", "CURLEW_PASSWORD_FILE": "/x", "CURLEW_BROKER_LISTEN": "mqtt://a",
                "CURLEW_BROKER_MAX_QOS": "1", "CURLEW_BROKER_ALLOW_ANONYMOUS": "true",
            ]
            #expect(
                try self.arguments("curlew broker -v", variables, file: "port 2\n")
                    == ["broker", "--listen", "mqtt://a", "--allow-anonymous", "--max-qos", "1", "-v"])
            #expect(
                try self.arguments("curlew broker -p 3 -c", variables)
                    == ["broker", "--allow-anonymous", "--max-qos", "1", "-p", "3", "-c"])
        }

        @Test("A file that is named takes the place of the usual one, and must be there")
        func files() throws {
            #expect(try self.arguments("curlew sub -o /own", file: "qos 1\n") == ["sub", "--qos", "1", "-o", "/own"])
            #expect(throws: Failure.self) { try self.arguments("curlew sub -o /not/there") }
            #expect(throws: Failure.self) { try self.arguments("curlew sub", file: "frob 1\n") }
        }

        @Test("A mistake tells where it was made")
        func origins() throws {
            let invocation = try Invocation(["curlew", "sub"]) {
                $0 == "CURLEW_COUNT" ? "x" : nil
            } readFile: { _ in
                nil
            }
            #expect(invocation.explained("'x' is bad for '--count'").hasSuffix("variable CURLEW_COUNT)"))
            #expect(invocation.explained("'x' is bad for '--qos'") == "'x' is bad for '--qos'")
        }

        @Test("The table of options is that of the parser", arguments: Subcommand.allCases)
        func table(subcommand: Subcommand) throws {
            let commands: [Subcommand: String] = [
                .pub: PublishCommand.helpMessage(includeHidden: true),
                .sub: SubscribeCommand.helpMessage(includeHidden: true),
                .request: RequestCommand.helpMessage(includeHidden: true),
                .respond: RespondCommand.helpMessage(includeHidden: true),
                .broker: BrokerCommand.helpMessage(includeHidden: true),
            ]
            let help = try #require(commands[subcommand])
            let lines = help.split(separator: "\n").map { $0.drop { $0 == " " } }.filter { $0.hasPrefix("-") }
            var names: Set<String> = []
            for line in lines {
                for word in line.split(whereSeparator: { " ,".contains($0) }).prefix(while: { $0.hasPrefix("-") }) {
                    names.insert(String(word))
                }
            }
            // Help text may begin with a number, as in -1.
            for name in names where name != "--version" && name != "--help" && name != "-1" {
                let known = KnownOption.named(name[...], in: subcommand.table)
                #expect(known?.subcommands.contains(subcommand) == true, "\(name)")
            }
            for option in KnownOption.all where option.subcommands.contains(subcommand) {
                guard !Self.hidden.contains(option.long) else { continue }
                #expect(names.contains("--\(option.long)"), "--\(option.long)")
                if let short = option.short { #expect(names.contains("-\(short)"), "-\(short)") }
            }
        }

        /// What is refused, or taken for the sake of old scripts alone, is not in the help.
        private static let hidden: Set = [
            "srv", "proxy", "unix", "ws", "tls-engine", "tls-engine-kpass-sha1", "keyform", "daemon",
        ]
    }
#endif
