#if Accounts
import Logging
import NIOCore
import Testing

@testable import CurlewBroker

/// Authentication by a password file.
@Suite struct PasswordFileTests {
    /// Lines written by mosquitto_passwd 2.0.11: alice's password is `secret`; frank's, in the older format, is `x`.
    static let alice =
        "alice:$7$101$Mszec5Ve13Epi4BS$6AZ8HhZ/XzEqWLhQnwsUy9VkIWOIJW3h2HHmzfF1d16Xu34FE4vLWYiPOtj7J4PrAdqmiASqM9IkHe7fSjGIYw=="
    static let frank =
        "frank:$6$ioJ536MCbaAkNu4H$Bek6F+0d1zaRZiV0c6kqiPeSuVXQm6So3e9b3odMGgIR6NI69dx6HrHey+H2Y2UIkQzud/xcnMPo+1aXNDnUOA=="

    static func attempt(_ user: String?, _ password: String?) -> MQTTConnectionAttempt {
        MQTTConnectionAttempt(
            client: MQTTBrokerClient(identifier: "c", username: user),
            password: password.map { MQTTPassword($0) })
    }

    @Test(
        "Only a user with the right password is allowed; no decision for a client without a user name",
        arguments: [
            ("alice", "secret", .allow), ("frank", "x", .allow),
            ("alice", "Secret", .deny(.badUserNameOrPassword)), ("alice", "", .deny(.badUserNameOrPassword)),
            ("alice", nil, .deny(.badUserNameOrPassword)), ("frank", "secret", .deny(.badUserNameOrPassword)),
            ("mallory", "secret", .deny(.badUserNameOrPassword)), ("", "secret", .deny(.badUserNameOrPassword)),
            ("Alice", "secret", .deny(.badUserNameOrPassword)), (nil, "secret", .abstain), (nil, nil, .abstain),
        ] as [(String?, String?, MQTTAuthenticationDecision)])
    func decision(user: String?, password: String?, decision: MQTTAuthenticationDecision) async throws {
        let file = try MQTTPasswordFile(text: "# people\n\(Self.alice)\n\n\(Self.frank)\r\n")
        #expect(try await file.authenticate(Self.attempt(user, password)) == decision)
    }

    @Test("An empty password is refused, even if the stored hash is of an empty password", arguments: ["", nil])
    func emptyPassword(password: String?) async throws {
        var entries = MQTTPasswordEntries()
        try entries.set("alice", password: [], iterations: 1)
        let file = try MQTTPasswordFile(text: entries.text)
        #expect(try await file.authenticate(Self.attempt("alice", password)) == .deny(.badUserNameOrPassword))
    }

    @Test("A user's credential status changes when the password changes, and only then")
    func credentialStatus() throws {
        let users = try MQTTPasswordFile(text: "\(Self.alice)\n\(Self.frank)\n")
        let alice = MQTTBrokerClient(identifier: "c", username: "alice")
        let status = users.credentialStatus(of: alice)
        #expect(status == (try MQTTPasswordFile(text: Self.alice)).credentialStatus(of: alice))
        var entries = MQTTPasswordEntries()
        try entries.set("alice", password: Array("other".utf8), iterations: 1)
        #expect(status != (try MQTTPasswordFile(text: entries.text)).credentialStatus(of: alice))
        #expect(try MQTTPasswordFile(text: Self.frank).credentialStatus(of: alice) == .unknownUser)
        #expect(users.credentialStatus(of: MQTTBrokerClient(identifier: "c")) == .notTracked)
    }

    @Test("A file without users allows nobody")
    func empty() async throws {
        let file = try MQTTPasswordFile(text: "# nobody yet\n")
        #expect(
            try await file.authenticate(Self.attempt("alice", "secret")) == .deny(.badUserNameOrPassword))
    }

    @Test("Blanks around the name and the hash are ignored, as in mosquitto")
    func blanks() async throws {
        let file = try MQTTPasswordFile(text: "  " + Self.alice.replacing(":", with: " : ") + "  \n")
        #expect(try await file.authenticate(Self.attempt("alice", "secret")) == .allow)
    }

    @Test("An unknown user costs as much work as a known one, and always the same")
    func standIns() throws {
        let table = try PasswordTable("\(Self.alice)\n\(Self.frank)\n", name: "users")
        let hashes = try [Self.alice, Self.frank].map {
            try PasswordHash(text: String($0.split(separator: ":", maxSplits: 1)[1]))
        }
        for number in 0..<50 {
            let name = ExactText("unknown \(number)")
            let (first, second) = (try #require(table.hash(of: name)), try #require(table.hash(of: name)))
            #expect(!first.isKnown && hashes.contains(first.hash))
            #expect(first.hash == second.hash)
        }
        #expect(try #require(table.hash(of: ExactText("alice"))) == (hashes[0], true))
    }

    @Test(
        "An invalid line is reported with its number and how to fix it",
        arguments: [
            ("nobody", "there is no ':' after a user name; correct or remove the line."),
            (" :x", "there is no user name before the ':'; correct or remove the line."),
            ("carol:secret", "the password of 'carol' is in plain text; hash it by 'curlew passwd -U FILE'."),
            ("carol:", "the password of 'carol' is in plain text; hash it by 'curlew passwd -U FILE'."),
            (
                "carol:$6$abc",
                "the password of 'carol' is damaged; set it again with 'curlew passwd FILE carol'."
            ),
            (
                "carol:$7$0$abcd$efgh",
                "the password of 'carol' has a number of iterations that is not 1 to 10000000; set it again with 'curlew passwd FILE carol'."
            ),
            (
                "carol:$7$101$abcd$efgh",
                "the password of 'carol' is damaged; set it again with 'curlew passwd FILE carol'."
            ),
            (
                "carol:$2b$10$abcd",
                "the password of 'carol' is neither of the form $7$ nor $6$; set it again with 'curlew passwd FILE carol'."
            ),
            (alice, "the user 'alice' is in line 2 already; remove one of the two."),
        ])
    func errors(line: String, message: String) {
        let error = #expect(throws: MQTTBrokerError.self) {
            try MQTTPasswordFile(text: "# people\n\(Self.alice)\n\(line)\n")
        }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message == "The passwords, line 3: \(message)")
    }

    @Test("A reload reads the file again; if the file is invalid, the previous users stay in force")
    func reload() async throws {
        try await TemporaryFile.with(Self.alice) { file in
            let passwords = try await MQTTPasswordFile(path: file.path)
            let (alice, frank) = (Self.attempt("alice", "secret"), Self.attempt("frank", "x"))
            #expect(try await passwords.authenticate(alice) == .allow)
            try file.write(Self.frank)
            try await passwords.reload()
            #expect(try await passwords.authenticate(alice) == .deny(.badUserNameOrPassword))
            #expect(try await passwords.authenticate(frank) == .allow)
            try file.write("\(Self.alice)\ncarol:open\n")
            let error = await #expect(throws: MQTTBrokerError.self) { try await passwords.reload() }
            #expect(error?.message.hasPrefix("The password file '\(file.path)', line 2: ") == true)
            #expect(try await passwords.authenticate(frank) == .allow)
        }
    }

    @Test("A warning is logged if everybody on the machine can read the hashes")
    func permissions() async throws {
        try await TemporaryFile.with(Self.alice) { file in
            let log = WarningLog()
            let logger = Logger(label: "test") { _ in log }
            try file.setPermissions(0o640)
            let passwords = try await MQTTPasswordFile(path: file.path, logger: logger)
            #expect(log.warnings.isEmpty)
            try file.setPermissions(0o644)
            try await passwords.reload()
            #expect(
                log.warnings == [
                    "The password file '\(file.path)' can be read by everybody on this machine; run 'chmod o-r' on it."
                ])
        }
    }

    @Test("When too many attempts wait, further ones get Server busy, and no waiting attempt is lost")
    func flood() async throws {
        let work = WorkQueue(maximumWorkers: 1, maximumWaiting: 1)
        let file = try MQTTPasswordFile(text: Self.alice, work: work)
        let blocker = Blocker()
        async let blocked: Void = work.run(for: "") { blocker.block() }
        await blocker.isBlocking()
        async let waiting = file.authenticate(Self.attempt("alice", "secret"))
        while work.waitingCount == 0 { try await letOthersRun() }
        #expect(try await file.authenticate(Self.attempt("alice", "secret")) == .deny(.serverBusy))
        blocker.release()
        #expect(try await waiting == .allow)
        try await blocked
    }
}
#endif
