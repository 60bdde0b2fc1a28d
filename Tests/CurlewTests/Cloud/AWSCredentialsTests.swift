#if AWS
import CurlewCore
import Synchronization
import Testing

@testable import Curlew

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// A home directory with AWS's files, deleted with the object.
private final class Home: Sendable {
    let path: String

    init(credentials: String? = nil, config: String? = nil) throws {
        var template = Array("/tmp/curlew-aws-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        self.path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try #require(mkdir("\(self.path)/.aws", 0o700) == 0)
        if let credentials { try self.write(Array(credentials.utf8), to: ".aws/credentials") }
        if let config { try self.write(Array(config.utf8), to: ".aws/config") }
    }

    deinit {
        for name in [".aws/credentials", ".aws/config", "other"] { unlink("\(self.path)/\(name)") }
        rmdir("\(self.path)/.aws")
        rmdir(self.path)
    }

    func write(_ bytes: [UInt8], to name: String) throws {
        let descriptor = open("\(self.path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        try #require(writeBytes(descriptor, bytes) == bytes.count)
    }

    private func writeBytes(_ descriptor: CInt, _ bytes: [UInt8]) -> Int {
        #if canImport(Darwin)
        Darwin.write(descriptor, bytes, bytes.count)
        #elseif canImport(Musl)
        Musl.write(descriptor, bytes, bytes.count)
        #else
        Glibc.write(descriptor, bytes, bytes.count)
        #endif
    }

    /// The credentials of a profile in the files.
    func profile(_ name: String? = nil, _ environment: [String: String] = [:]) async throws -> AWSCredentials {
        try await AWSCredentialsSource.profile(name, environment: self.environment(environment)).credentials()
    }

    func standard(_ environment: [String: String] = [:]) async throws -> AWSCredentials {
        try await AWSCredentialsSource.standard(environment: self.environment(environment)).credentials()
    }

    private func environment(_ variables: [String: String]) -> [String: String] {
        variables.merging(["HOME": self.path]) { given, _ in given }
    }
}

/// The secret that no error may repeat.
private let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

/// Checks that the credentials could not be provided, and that the message is a sentence with the words.
private func expectRefusal(
    _ words: String..., sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> AWSCredentials
) async {
    let error = await #expect(throws: MQTTError.self, sourceLocation: sourceLocation) { _ = try await body() }
    guard let error else { return }
    #expect(error.code == .authenticationFailed, "\(error)", sourceLocation: sourceLocation)
    #expect(error.message.hasSuffix("."), "\(error)", sourceLocation: sourceLocation)
    #expect(!error.message.contains(secret), "\(error)", sourceLocation: sourceLocation)
    for word in words { #expect(error.message.contains(word), "\(error)", sourceLocation: sourceLocation) }
}

@Suite("AWS credentials")
struct AWSCredentialsTests {
    private static let user = AWSCredentials(accessKeyID: "AKIDEXAMPLE", secretAccessKey: secret)
    private static let keys = "aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = \(secret)\n"

    @Test("Descriptions and dumps show only the access key ID")
    func secrecy() {
        var credentials = Self.user
        credentials.sessionToken = "hunter2"
        let environment = [
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": "hunter2",
        ]
        let holders: [any Sendable] = [
            credentials, AWSCredentialsSource.fixed(credentials), AWSCredentialsSource.environment(environment),
            AWSCredentialsSource.standard(environment: environment),
        ]
        for holder in holders {
            var dumped = ""
            dump(holder, to: &dumped)
            for text in [dumped, "\(holder)", String(reflecting: holder), "\([holder])"] {
                #expect(!text.contains(secret) && !text.contains("hunter2"), "\(text)")
            }
        }
        #expect("\(credentials)" == "AWS access key AKIDEXAMPLE")
        #expect(credentials.secretAccessKey == secret && credentials.sessionToken == "hunter2")
        #expect(credentials != Self.user)
    }

    // MARK: Environment

    @Test("The environment contains an access key, and may contain a session token")
    func environment() async throws {
        var environment = [
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": "",
        ]
        #expect(try await AWSCredentialsSource.environment(environment).credentials() == Self.user)
        environment["AWS_SESSION_TOKEN"] = "token"
        #expect(try await AWSCredentialsSource.environment(environment).credentials().sessionToken == "token")
    }

    @Test("A missing or damaged variable is refused by name")
    func refusedEnvironment() async {
        let refused: [([String: String], String)] = [
            ([:], "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
            (["AWS_ACCESS_KEY_ID": "A"], "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not"),
            (["AWS_SECRET_ACCESS_KEY": secret], "AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not"),
            (["AWS_SESSION_TOKEN": secret], "AWS_SESSION_TOKEN is set, but AWS_ACCESS_KEY_ID is not"),
            (["AWS_ACCESS_KEY_ID": "A\n", "AWS_SECRET_ACCESS_KEY": secret], "AWS_ACCESS_KEY_ID contains white space"),
            (["AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": secret + " "], "AWS_SECRET_ACCESS_KEY contains"),
            (
                ["AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "tökén"],
                "AWS_SESSION_TOKEN contains"
            ),
        ]
        for (environment, words) in refused {
            await expectRefusal(words) { try await AWSCredentialsSource.environment(environment).credentials() }
        }
    }

    @Test("The variables of the process are reduced to those in use")
    func processEnvironment() {
        #expect(Set(AWSCredentialsSource.processEnvironment.keys).isSubset(of: AWSEnvironment.names))
        #expect(AWSCredentialsSource.processEnvironment["HOME"] == getenv("HOME").map { String(cString: $0) })
    }

    // MARK: Fixed and custom

    @Test("Fixed credentials are returned, unless an item is empty")
    func fixed() async throws {
        #expect(try await AWSCredentialsSource.fixed(Self.user).credentials() == Self.user)
        await expectRefusal("The secret access key is empty") {
            try await AWSCredentialsSource.fixed(.init(accessKeyID: "A", secretAccessKey: "")).credentials()
        }
    }

    @Test("A closure is called each time, and its failure is the cause of the error")
    func custom() async throws {
        struct NoNetwork: Error {}
        let calls = Mutex(0)
        let source = AWSCredentialsSource.custom {
            let call = calls.withLock { calls in
                calls += 1
                return calls
            }
            guard call < 3 else { throw NoNetwork() }
            return AWSCredentials(accessKeyID: "A\(call)", secretAccessKey: "s")
        }
        #expect(try await source.credentials().accessKeyID == "A1")
        #expect(try await source.credentials().accessKeyID == "A2")
        let error = await #expect(throws: MQTTError.self) { try await source.credentials() }
        #expect(error?.cause is NoNetwork && error?.code == .authenticationFailed)
    }

    // MARK: Profiles

    @Test("A profile is read again each time: the one given, the one in AWS_PROFILE, or 'default'")
    func profile() async throws {
        let home = try Home(
            credentials: "[default]\n\(Self.keys)[b]\naws_access_key_id=B\naws_secret_access_key=b\n",
            config: "[profile c]\naws_access_key_id=C\naws_secret_access_key=c\naws_session_token=t\n")
        #expect(try await home.profile() == Self.user)
        #expect(try await home.profile("b") == AWSCredentials(accessKeyID: "B", secretAccessKey: "b"))
        let inConfig = AWSCredentials(accessKeyID: "C", secretAccessKey: "c", sessionToken: "t")
        #expect(try await home.profile(nil, ["AWS_PROFILE": "c"]) == inConfig)
        #expect(try await home.profile("b", ["AWS_PROFILE": "c"]).accessKeyID == "B")

        let source = AWSCredentialsSource.profile(environment: ["HOME": home.path])
        #expect(try await source.credentials() == Self.user)
        try home.write(Array("[default]\naws_access_key_id=N\naws_secret_access_key=n".utf8), to: ".aws/credentials")
        #expect(try await source.credentials().accessKeyID == "N")
    }

    @Test("The files may be elsewhere")
    func otherFiles() async throws {
        let home = try Home()
        try home.write(Array("[default]\naws_access_key_id=O\naws_secret_access_key=o".utf8), to: "other")
        let path = "\(home.path)/other"
        #expect(try await home.profile(nil, ["AWS_SHARED_CREDENTIALS_FILE": path]).accessKeyID == "O")
        #expect(try await home.profile(nil, ["AWS_CONFIG_FILE": "~/other"]).accessKeyID == "O")
        let given = AWSCredentialsSource.profile(credentialsFile: path, environment: [:])
        #expect(try await given.credentials().accessKeyID == "O")
        await expectRefusal("config file '\(home.path)/none' cannot be read", "No such file") {
            try await home.profile(nil, ["AWS_CONFIG_FILE": "\(home.path)/none"])
        }
        await expectRefusal("credentials file '\(home.path)' cannot be read") {
            try await home.profile(nil, ["AWS_SHARED_CREDENTIALS_FILE": home.path])
        }
    }

    @Test(
        "The format permits comments, white space, nested settings, continued lines and repeated sections",
        arguments: [
            "[default]\n\(Self.keys)", "\u{FEFF}[default]\r\n\(Self.keys.replacing("\n", with: "\r\n"))",
            "# a\n; b\n\n[ default ] # c\n\t\n\(Self.keys)  # indented comment\n",
            "[default]\nAWS_ACCESS_KEY_ID=AKIDEXAMPLE\t; note\nAws_Secret_Access_Key  =  \(secret)  # note",
            "[default]\ns3 =\n  aws_access_key_id = NESTED\n  max = 1\n\(Self.keys)",
            "[default]\n\(Self.keys)note = one\n  two\n  three = 3\n",
            "[default]\naws_access_key_id = AKIDEXAMPLE\n[x]\na = b\n[default]\naws_secret_access_key = \(secret)",
            "[default]\naws_access_key_id = OLD\n\(Self.keys)", "[\"default\"]\n\(Self.keys)aws_session_token =\n",
            "[profile default]\naws_access_key_id = NO\n[default]\n\(Self.keys)",
        ])
    func format(credentials: String) async throws {
        let home = try Home(credentials: credentials)
        #expect(try await home.profile() == Self.user)
    }

    @Test(
        "In the config file, profiles have a prefix, and other sections are no profiles",
        arguments: [
            ("[default]\n\(Self.keys)", "default"), ("[profile default]\n\(Self.keys)[default]\nregion=x", "default"),
            ("[default]\nregion=x\n[ profile \t default ]\n\(Self.keys)", "default"),
            ("[profile 'my own']\n\(Self.keys)", "my own"),
            ("[sso-session a]\naws_access_key_id=S\n[services a]\n[profile a]\n\(Self.keys)[preview]\nx = y", "a"),
        ])
    func config(content: String, name: String) async throws {
        let home = try Home(config: content)
        #expect(try await home.profile(name) == Self.user)
    }

    @Test("The key in the credentials file takes precedence, and keys of two files are never combined")
    func precedence() async throws {
        let other = "aws_access_key_id = OTHER\naws_secret_access_key = other\naws_session_token = t\n"
        let home = try Home(credentials: "[default]\n\(Self.keys)", config: "[default]\n\(other)")
        #expect(try await home.profile() == Self.user)
        try home.write(Array("[default]\naws_access_key_id = A\n".utf8), to: ".aws/credentials")
        await expectRefusal("credentials", "line 2", "has aws_access_key_id, but no aws_secret_access_key") {
            try await home.profile()
        }
    }

    @Test("A damaged file is refused with its line")
    func damaged() async throws {
        let refused: [(String, [String])] = [
            ("aws_access_key_id = A\n", ["line 1", "below the name of a section"]),
            ("\n  a = b\n", ["line 2", "below the name of a section"]),
            ("[default]\n  a = b\n", ["line 2", "must continue a setting"]),
            ("[default\n", ["line 1", "']'"]), ("[default] x\n", ["line 1", "comment"]),
            ("[default]\n\n\(secret)\n", ["line 3", "name = value"]),
            ("[default]\n= \(secret)\n", ["line 2", "name before '='"]),
            ("[default]\naws_secret_access_key = \(secret)\n", ["line 2", "no aws_access_key_id"]),
            ("[default]\naws_session_token = \(secret)\n", ["line 2", "no aws_access_key_id"]),
            ("[default]\naws_access_key_id =\naws_secret_access_key = s\n", ["line 3", "no aws_access_key_id"]),
            ("[default]\n\(Self.keys)  \(secret)\n", ["line 3", "aws_secret_access_key", "white space"]),
            (
                "[default]\naws_access_key_id = ä\naws_secret_access_key = s\n",
                ["line 2", "aws_access_key_id", "ASCII"]
            ),
            // Indented lines below an empty value are settings of that setting.
            ("[default]\naws_access_key_id =\n  A\naws_secret_access_key = s\n", ["line 4", "no aws_access_key_id"]),
            ("[default]\nregion = x\n", ["'default' has no access key", ".aws/credentials'"]),
            ("[profile default]\n\(Self.keys)", ["line 1", "must be named [default]"]),
        ]
        for (content, words) in refused {
            let home = try Home(credentials: content)
            for word in words { await expectRefusal(word) { try await home.profile() } }
        }
        let home = try Home()
        try home.write(Array("[default]\n".utf8) + [0xFF, 0x0A], to: ".aws/credentials")
        await expectRefusal("line 2: the line is not UTF-8") { try await home.profile() }
        let config = try Home(config: "[default]\n[other]\n\(Self.keys)")
        await expectRefusal("config file", "line 2", "must be named [profile other]") {
            try await config.profile("other")
        }
    }

    @Test(
        "A profile that gets credentials elsewhere is refused with the setting",
        arguments: [
            "sso_session", "sso_start_url", "credential_process", "web_identity_token_file", "credential_source",
            "login_session", "role_arn",
        ])
    func notSupported(setting: String) async throws {
        let home = try Home(config: "[profile x]\nregion = y\n\(setting) = \(secret)\n")
        await expectRefusal("line 3", "'x'", "through \(setting)", "AWSCredentialsSource.custom") {
            try await home.profile("x")
        }
        // Keys that some tool has put into the credentials file are used, unless they are those to assume a role with.
        try home.write(Array("[x]\n\(Self.keys)".utf8), to: ".aws/credentials")
        if setting == "role_arn" {
            await expectRefusal("through role_arn") { try await home.profile("x") }
        } else {
            #expect(try await home.profile("x") == Self.user)
        }
    }

    @Test("An unknown profile is refused with the files that do not have it")
    func unknownProfile() async throws {
        let home = try Home(credentials: "[default]\n\(Self.keys)")
        await expectRefusal("'\(home.path)/.aws/credentials'", "'\(home.path)/.aws/config'", "profile 'x'") {
            try await home.profile("x")
        }
        await expectRefusal("HOME is not set") {
            try await AWSCredentialsSource.profile("x", environment: [:]).credentials()
        }
    }

    // MARK: Standard

    @Test("By default, the environment comes before the profile")
    func standard() async throws {
        let home = try Home(
            credentials: "[default]\n\(Self.keys)[b]\naws_access_key_id = B\naws_secret_access_key = b\n")
        #expect(try await home.standard() == Self.user)
        #expect(try await home.standard(["AWS_PROFILE": "b"]).accessKeyID == "B")
        let variables = ["AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "e", "AWS_PROFILE": "b"]
        #expect(try await home.standard(variables).accessKeyID == "E")
        await expectRefusal("AWS_SECRET_ACCESS_KEY is not") { try await home.standard(["AWS_ACCESS_KEY_ID": "E"]) }
        await expectRefusal("profile 'c'") { try await home.standard(["AWS_PROFILE": "c"]) }
    }

    @Test("Without any credentials, the error says how to set them")
    func nothing() async throws {
        let home = try Home()
        await expectRefusal("set AWS_ACCESS_KEY_ID", "profile 'default'", "'\(home.path)/.aws/credentials'") {
            try await home.standard()
        }
        await expectRefusal("AWS_WEB_IDENTITY_TOKEN_FILE", "AWSCredentialsSource.custom") {
            try await home.standard(["AWS_WEB_IDENTITY_TOKEN_FILE": "/token"])
        }
        await expectRefusal("set AWS_ACCESS_KEY_ID", "~/.aws/credentials") {
            try await AWSCredentialsSource.standard(environment: [:]).credentials()
        }
    }
}
#endif
