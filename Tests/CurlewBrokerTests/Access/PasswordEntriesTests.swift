#if Accounts
import Testing

@testable import CurlewBroker

/// Editing a password file.
@Suite struct PasswordEntriesTests {
    private func isLetIn(_ user: String, _ password: String, by entries: MQTTPasswordEntries) async throws -> Bool {
        let file = try MQTTPasswordFile(text: entries.text)
        return try await file.authenticate(PasswordFileTests.attempt(user, password)) == .allow
    }

    @Test("Users can be added, changed and removed; comments, order and all other users stay")
    func changes() async throws {
        let text = "# people\n\(PasswordFileTests.alice)\n\n# others\n\(PasswordFileTests.frank)\n"
        var entries = try MQTTPasswordEntries(text: text, path: "users")
        #expect(entries.text == text)
        try entries.set("carol", password: Array("c:1 ".utf8), iterations: 3)
        try entries.set("alice", password: Array("new".utf8), iterations: 2)
        let lines = entries.text.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 7 && lines[0] == "# people" && lines[3] == "# others" && lines[6].isEmpty)
        #expect(lines[1].hasPrefix("alice:$7$2$"))
        #expect(lines[4] == PasswordFileTests.frank)
        #expect(lines[5].hasPrefix("carol:$7$3$"))
        #expect(try await self.isLetIn("alice", "new", by: entries))
        #expect(try await !self.isLetIn("alice", "secret", by: entries))
        #expect(try await self.isLetIn("carol", "c:1 ", by: entries))
        let removals = [entries.remove("alice"), entries.remove("alice")]
        #expect(removals == [true, false])
        #expect(!entries.contains("alice") && entries.contains("frank"))
    }

    @Test("Hashing the same password twice gives different hashes")
    func salt() throws {
        var entries = MQTTPasswordEntries()
        try entries.set("a", password: [1], iterations: 1)
        let first = entries.text
        try entries.set("a", password: [1], iterations: 1)
        #expect(entries.text != first)
    }

    @Test("Plain-text passwords are hashed; existing hashes stay as they are")
    func upgrade() async throws {
        let text = "\(PasswordFileTests.alice)\ncarol:a:b $x\n# none\ndave: $ecret\n"
        var entries = try MQTTPasswordEntries(text: text, path: "users")
        let hashed = try entries.hashPlainText(iterations: 1, path: "users")
        #expect(hashed == 2)
        #expect(try await self.isLetIn("alice", "secret", by: entries))
        #expect(try await self.isLetIn("carol", "a:b $x", by: entries))
        #expect(try await self.isLetIn("dave", " $ecret", by: entries))
        let upgraded = entries.text
        let hashedAgain = try entries.hashPlainText(iterations: 1, path: "users")
        #expect(hashedAgain == 0)
        #expect(entries.text == upgraded)
        var damaged = try MQTTPasswordEntries(text: "a:b\nc:$7$1$x$y\n", path: "users")
        let error = #expect(throws: MQTTBrokerError.self) {
            try damaged.hashPlainText(iterations: 1, path: "users")
        }
        #expect(
            error?.message.hasPrefix("The password file 'users', line 2: the password of 'c' is damaged") == true)
    }

    @Test(
        "A user name that the file format cannot hold is refused",
        arguments: ["", "a:b", "#a", " a", "a\t", "a\nb", "a\u{7F}", String(repeating: "x", count: 65_536)])
    func names(name: String) {
        #expect(MQTTPasswordEntries.problem(inUser: name) != nil)
        var entries = MQTTPasswordEntries()
        #expect(throws: MQTTBrokerError.self) { try entries.set(name, password: [1], iterations: 1) }
        #expect(entries.text.isEmpty)
    }

    @Test(
        "A user name with spaces, non-ASCII letters or an inner '#' is accepted",
        arguments: ["a b", "Größe", "a#1", "名"])
    func goodNames(name: String) async throws {
        #expect(MQTTPasswordEntries.problem(inUser: name) == nil)
        var entries = MQTTPasswordEntries()
        try entries.set(name, password: Array("p".utf8), iterations: 1)
        #expect(try await self.isLetIn(name, "p", by: entries))
    }
}
#endif
