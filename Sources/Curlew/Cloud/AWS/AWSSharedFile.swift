#if AWS
import CurlewCore

/// The profiles in one of the two files that AWS's tools share: sections with settings, as described under "Shared
/// config and credentials files" in the AWS SDKs and Tools Reference Guide.
struct AWSSharedFile {
    enum Kind {
        /// Each section is a profile: `[name]`.
        case credentials
        /// A profile is `[profile name]` or `[default]`; other sections contain something else.
        case config

        var noun: String { self == .credentials ? "AWS credentials file" : "AWS config file" }
    }

    /// The name of a setting. Names are not case-sensitive.
    struct Setting: Hashable {
        let rawValue: String

        static let accessKeyID = Self(rawValue: "aws_access_key_id")
        static let secretAccessKey = Self(rawValue: "aws_secret_access_key")
        static let sessionToken = Self(rawValue: "aws_session_token")
        static let roleARN = Self(rawValue: "role_arn")

        /// Settings of a profile without keys that say where to get some.
        static let otherSources = [
            "sso_session", "sso_start_url", "credential_process", "web_identity_token_file", "credential_source",
            "login_session",
        ].map(Self.init)
    }

    struct Property {
        private let content: Redacted<String>
        let line: Int

        var value: String { self.content.value }

        init(_ value: String, line: Int) {
            self.content = Redacted(value)
            self.line = line
        }
    }

    struct Section {
        fileprivate var properties: [Setting: Property] = [:]

        /// `nil` if the setting is absent or empty.
        subscript(_ setting: Setting) -> Property? {
            self.properties[setting].flatMap { $0.value.isEmpty ? nil : $0 }
        }
    }

    private let path: String
    private let kind: Kind
    private(set) var profiles: [String: Section] = [:]
    /// The lines of sections that would be profiles in the other file.
    private var misnamed: [String: Int] = [:]

    /// The file and a line at the beginning of a sentence.
    func subject(_ line: Int) -> String { "The \(self.kind.noun) '\(self.path)', line \(line)" }

    /// Throws if the profile would be there with another name of its section.
    func refuseMisnamed(_ profile: String) throws(MQTTError) {
        guard let line = self.misnamed[profile] else { return }
        let name = self.kind == .credentials ? "[\(profile)]" : "[profile \(profile)]"
        throw .awsCredentials("\(self.subject(line)): the section of a profile must be named \(name) in this file.")
    }
}

// MARK: - Parsing

extension AWSSharedFile {
    /// What the section of a line is for.
    private enum Place: Hashable {
        case profile(String)
        /// `[profile default]`, which replaces `[default]`.
        case defaultProfile
        case other
    }

    /// - Parameter path: Where the file was, for errors.
    init(_ bytes: [UInt8], path: String, _ kind: Kind) throws(MQTTError) {
        self.path = path
        self.kind = kind
        let bytes = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        var sections: [Place: Section] = [:]
        var place: Place?
        // The setting that an indented line continues.
        var setting: Setting?
        for (number, bytes) in zip(1..., lines) {
            guard let line = String(validating: bytes, as: UTF8.self) else {
                throw self.error(number, "the line is not UTF-8; convert the file to it")
            }
            let text = line.trimmed
            guard let first = text.utf8.first, !Self.comments.contains(first) else { continue }
            if let start = line.utf8.first, start == 0x20 || start == 0x09 {
                guard let current = place else { throw self.error(number, Self.needsSection) }
                guard let setting else {
                    throw self.error(number, "an indented line must continue a setting; remove the indentation")
                }
                let property = sections[current]?.properties[setting]
                // What follows an empty value are settings of the setting, none of which is for signing.
                guard let property, !property.value.isEmpty else { continue }
                sections[current]?.properties[setting] = Property("\(property.value)\n\(text)", line: property.line)
            } else if first == UInt8(ascii: "[") {
                let next = try self.place(text, number)
                if sections[next] == nil { sections[next] = Section() }
                (place, setting) = (next, nil)
            } else {
                guard let current = place else { throw self.error(number, Self.needsSection) }
                let (name, property) = try self.property(text, number)
                sections[current]?.properties[name] = property
                setting = name
            }
        }
        for case (.profile(let name), let section) in sections { self.profiles[name] = section }
        if let section = sections[.defaultProfile] { self.profiles["default"] = section }
    }

    private static let comments = [UInt8(ascii: "#"), UInt8(ascii: ";")]
    private static let needsSection = "a setting must be below the name of a section, such as [default]"

    private func error(_ line: Int, _ problem: String) -> MQTTError {
        .awsCredentials("\(self.subject(line)): \(problem).")
    }

    /// What a line such as `[profile name]` begins.
    private mutating func place(_ text: String, _ line: Int) throws(MQTTError) -> Place {
        guard let end = text.firstIndex(of: "]") else {
            throw self.error(line, "the name of a section must end with ']'")
        }
        let rest = String(text[text.index(after: end)...]).trimmed
        guard rest.utf8.first.map(Self.comments.contains) ?? true else {
            throw self.error(line, "only a comment may follow the name of a section")
        }
        let name = String(text[..<end].dropFirst()).trimmed
        let words = name.split(maxSplits: 1) { $0 == " " || $0 == "\t" }
        let profile = words.count == 2 && words[0] == "profile" ? String(words[1]).trimmed.unquoted : nil
        switch (self.kind, profile) {
        case (.credentials, nil): return .profile(name.unquoted)
        case (.config, "default"?): return .defaultProfile
        case (.config, let profile?): return .profile(profile)
        case (.config, nil) where name == "default": return .profile(name)
        case (_, let profile): self.misnamed[profile ?? name.unquoted] = line
        }
        return .other
    }

    private func property(_ text: String, _ line: Int) throws(MQTTError) -> (Setting, Property) {
        guard let equals = text.utf8.firstIndex(of: UInt8(ascii: "=")) else {
            throw self.error(line, "a setting must have the form 'name = value'")
        }
        let name = String(text[..<equals]).trimmed.lowercased()
        guard !name.isEmpty else { throw self.error(line, "a setting must have a name before '='") }
        var value = text.utf8[equals...].dropFirst()
        // A comment begins after white space.
        var previous: UInt8?
        for index in value.indices {
            if let previous, previous == 0x20 || previous == 0x09, Self.comments.contains(value[index]) {
                value = value[..<index]
                break
            }
            previous = value[index]
        }
        return (Setting(rawValue: name), Property(String(Substring(value)).trimmed, line: line))
    }
}

extension String {
    /// Without white space at the beginning and the end.
    fileprivate var trimmed: String {
        let isSpace: (Unicode.Scalar) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\r" }
        let scalars = self.unicodeScalars.drop(while: isSpace)
        guard let last = scalars.lastIndex(where: { !isSpace($0) }) else { return "" }
        return String(scalars[...last])
    }

    /// Without the quotation marks around a name with spaces.
    fileprivate var unquoted: String {
        guard self.utf8.count >= 2, let mark = self.first, mark == "\"" || mark == "'", self.last == mark else {
            return self
        }
        return String(self.dropFirst().dropLast())
    }
}
#endif
