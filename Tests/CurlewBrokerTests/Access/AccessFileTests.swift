import CurlewBroker
import Testing

/// The rights that an access file grants.
@Suite struct AccessFileTests {
    /// `user@identifier`, or only `identifier` for a client without a user name.
    private static func client(_ name: String) -> MQTTBrokerClient {
        let parts = name.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        return parts.count == 2
            ? MQTTBrokerClient(identifier: parts[1], username: parts[0]) : MQTTBrokerClient(identifier: parts[0])
    }

    @Test(
        "The rules decide who may publish to and receive from a topic",
        arguments: AccessCase.all + AccessCase.ownAnswers)
    func decision(_ example: AccessCase) throws {
        let access = try MQTTAccessFile(text: example.rules)
        let topic = try TopicName(example.topic)
        let action: MQTTBrokerAction = example.action == .write ? .publish(topic) : .receive(topic)
        #expect(access.authorize(example.client, action) == (example.isAllowed ? .allow : .deny))
    }

    @Test(
        "A subscription is refused if the client may receive nothing that it matches",
        arguments: [
            ("topic read a/#", "c", "a/#", true), ("topic read a/#", "c", "a/+/b", true),
            ("topic read a/#", "c", "#", true), ("topic read a/#", "c", "b/#", false),
            ("topic read a/#", "c", "+", true), ("topic read a/b", "c", "+", false),
            ("topic write a/#", "c", "a/#", false), ("topic read a/#", "u@c", "a/#", false),
            ("topic read a/#\ntopic deny a/b", "c", "a/b", false), ("topic read a/#\ntopic deny a/b", "c", "a/+", true),
            ("topic read a/#\ntopic deny a/+", "c", "a/b", false),
            ("topic read a/+\ntopic deny a/#", "c", "#", false),
            ("topic read a/#", "c", "$share/g/a/b", true), ("topic read a/#", "c", "$share/g/b", false),
            ("topic read #", "c", "$SYS/#", false), ("topic read $SYS/#", "c", "#", false),
            ("topic read $SYS/#", "c", "$SYS/broker/+", true),
            ("pattern read d/%c/#", "c", "d/c/x", true), ("pattern read d/%c/#", "c", "d/+/x", true),
            ("pattern read d/%c/#", "c", "d/x/#", false), ("pattern read d/%u/#", "c", "d/#", false),
            ("pattern read d/%c/#", "+", "d/#", false), ("pattern read d/%c/#", "a/b", "d/#", false),
            ("pattern read %c/#", "$SYS", "$SYS/#", false),
            ("pattern read a/#\npattern deny a/%u", "u@c", "a/u", false),
            ("user u\ntopic deny a/#\npattern read a/b", "u@c", "a/#", false),
            ("user u\ntopic read a/b\npattern deny a/#", "u@c", "a/#", true),
            ("", "c", "#", false),
        ])
    func subscription(rules: String, client: String, filter: String, isAllowed: Bool) throws {
        let access = try MQTTAccessFile(text: rules)
        let action = try MQTTBrokerAction.subscribe(TopicFilter(filter))
        #expect(access.authorize(Self.client(client), action) == (isAllowed ? .allow : .deny))
    }

    @Test(
        "An invalid line is reported with its number and how to fix it",
        arguments: [
            ("topic a\n\nwhat ever", 3, "'what' is not known; a line begins with 'user', 'topic', 'pattern' or '#'."),
            ("Topic a", 1, "'Topic' is not known; a line begins with 'user', 'topic', 'pattern' or '#'."),
            ("user  ", 1, "'user' is not followed by a name; write 'user NAME'."),
            ("topic", 1, "'topic' is not followed by a topic filter; write 'topic readwrite FILTER'."),
            ("pattern", 1, "'pattern' is not followed by a topic filter; write 'pattern readwrite FILTER'."),
            (
                "# one\ntopic a b", 2,
                "'a' is not an access; write read, write, readwrite or deny before a filter with spaces."
            ),
            (
                "topic deny", 1,
                "'deny' is not followed by a topic filter; for the topic of that name write 'topic readwrite deny'."
            ),
            (
                "topic read a+/b", 1,
                "The topic filter \"a+/b\" has '+' beside other characters; '+' must be a whole level, as in \"a/+/b\"."
            ),
            (
                "pattern read %c+/b", 1,
                "The topic filter \"%c+/b\" has '+' beside other characters; '+' must be a whole level, as in \"a/+/b\"."
            ),
            (
                "topic $share/group/a", 1,
                "a rule is about topics; leave out '$share/…/', which plays no part in access."
            ),
        ])
    func errors(text: String, line: Int, message: String) {
        let error = #expect(throws: MQTTBrokerError.self) { try MQTTAccessFile(text: text) }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message == "The access rules, line \(line): \(message)")
    }

    @Test("Comments, empty lines, indentation and CRLF line ends are ignored")
    func layout() throws {
        let access = try MQTTAccessFile(text: "\r\n# one\r\n   # two\n\tuser   a b \r\n\ttopic\tread   x y  \r\n")
        let client = MQTTBrokerClient(identifier: "c", username: "a b")
        #expect(access.authorize(client, .receive(try TopicName("x y"))) == .allow)
        #expect(access.authorize(client, .receive(try TopicName("x"))) == .deny)
    }

    @Test("User names are compared byte by byte")
    func userNames() throws {
        let access = try MQTTAccessFile(text: "user \u{E9}\ntopic a")
        let topic = try TopicName("a")
        #expect(access.authorize(.init(identifier: "c", username: "\u{E9}"), .publish(topic)) == .allow)
        #expect(access.authorize(.init(identifier: "c", username: "e\u{301}"), .publish(topic)) == .deny)
    }

    @Test("A reload reads the file again; if the file is invalid, the previous rules stay in force")
    func reload() async throws {
        try await TemporaryFile.with("topic a\n") { file in
            let access = try await MQTTAccessFile(path: file.path)
            let client = MQTTBrokerClient(identifier: "c")
            let (first, second) = (try TopicName("a"), try TopicName("b"))
            #expect(access.authorize(client, .publish(first)) == .allow)
            try file.write("topic b\n")
            try await access.reload()
            #expect(access.authorize(client, .publish(first)) == .deny)
            #expect(access.authorize(client, .publish(second)) == .allow)
            try file.write("topic a\nnonsense\n")
            let error = await #expect(throws: MQTTBrokerError.self) { try await access.reload() }
            #expect(error?.message.hasPrefix("The access file '\(file.path)', line 2: ") == true)
            #expect(access.authorize(client, .publish(second)) == .allow)
        }
    }

    @Test("A missing file, or one that is not UTF-8, is reported with its path")
    func unreadable() async throws {
        let missing = await #expect(throws: MQTTBrokerError.self) { try await MQTTAccessFile(path: "/nowhere/acl") }
        #expect(missing?.message == "The access file '/nowhere/acl' cannot be read: No such file or directory.")
        try await TemporaryFile.with("") { file in
            try file.write(bytes: Array("topic a\nuser ".utf8) + [0xE4, 0x0A])
            let error = await #expect(throws: MQTTBrokerError.self) { try await MQTTAccessFile(path: file.path) }
            #expect(
                error?.message
                    == "The access file '\(file.path)', line 2: the line is not UTF-8; convert the file to it.")
        }
    }

    @Test("An access file asks for receive checks, since a subscription may match more than the rules allow")
    func checksReceiving() throws {
        #expect(try MQTTAccessFile(text: "").checksReceiving)
    }
}
