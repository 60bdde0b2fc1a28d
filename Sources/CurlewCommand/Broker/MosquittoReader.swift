#if Tools
import CurlewBroker

/// Reads a mosquitto.conf and the files that it includes, line by line, and collects all errors.
struct MosquittoReader {
    private let files: ConfigurationFiles
    private var configuration = MosquittoConfiguration()
    private var problems: [FileProblem] = []
    private var listeners: [MosquittoListener] = []
    /// The options of the default listener.
    private var defaultListener = MosquittoListener()
    private var sharedSecurity = MosquittoSecurity()
    private var isPerListener = false
    /// The place of each option, by what it sets.
    private var given: [Subject: [String: FilePlace]] = [:]

    /// What a line can set.
    private enum Subject: Hashable {
        case broker
        case defaultListener
        case listener(Int)
    }

    /// The result of reading a mosquitto.conf.
    enum Outcome {
        case configuration(MosquittoConfiguration)
        /// In the order of the lines; never empty.
        case problems([FileProblem])
    }

    /// Reads a file and the files that it includes; `nil` if there is no such file.
    static func read(_ path: String, files: ConfigurationFiles) throws(SystemError) -> Outcome? {
        guard let text = try files.text(path) else { return nil }
        var reader = Self(files: files)
        reader.read(text, file: path, isMain: true)
        return reader.finish()
    }

    private init(files: ConfigurationFiles) { self.files = files }

    // MARK: Lines

    private mutating func read(_ text: String, file: String, isMain: Bool) {
        // In mosquitto, each file begins at the default listener.
        var current = Subject.defaultListener
        for line in MosquittoLine.lines(of: text, file: file) {
            do throws(Objection) {
                guard let option = MosquittoOption.named(line.option) else { throw self.refusal(of: line.option) }
                guard option.isPath || line.value.isUTF8 else { throw Objection("the line is not UTF-8.") }
                try self.take(option, line, &current, isMain: isMain)
            } catch {
                self.object(line.place, "\(line.option): \(error.sentence)")
            }
        }
    }

    private func refusal(of option: String) -> Objection {
        guard let reason = RefusedMosquittoOptions.reason(for: option) else {
            return Objection("there is no such option; correct or remove it.")
        }
        return Objection(reason)
    }

    private mutating func take(
        _ option: MosquittoOption, _ line: MosquittoLine, _ current: inout Subject, isMain: Bool
    ) throws(Objection) {
        switch option.subject {
        case .structure(let structure):
            try self.take(structure, option, line, &current, isMain: isMain)
        case .broker(let read):
            try self.note(option, line.place, .broker)
            try read(line.value, &self.configuration)
        case .listener(let read):
            try self.note(option, line.place, current)
            try self.change(current) { listener throws(Objection) in try read(line.value, &listener) }
        case .security(let read):
            try self.note(option, line.place, self.isPerListener ? current : .broker)
            guard self.isPerListener else { return try read(line.value, &self.sharedSecurity) }
            try self.change(current) { listener throws(Objection) in try read(line.value, &listener.security) }
        }
    }

    private mutating func take(
        _ structure: MosquittoOption.Structure, _ option: MosquittoOption, _ line: MosquittoLine,
        _ current: inout Subject, isMain: Bool
    ) throws(Objection) {
        switch structure {
        case .listener:
            current = .listener(self.listeners.count)
            // The following lines are about this listener, even if it is invalid.
            self.listeners.append(MosquittoListener(place: line.place))
            let address = try self.address(line.value)
            self.listeners[self.listeners.count - 1].port = address.port
            self.listeners[self.listeners.count - 1].host = address.host
            self.listeners[self.listeners.count - 1].socketFile = address.socketFile
        case .port:
            try self.note(option, line.place, .defaultListener)
            self.defaultListener.port = try line.value.number(in: 1...65_535)
        case .bindAddress:
            try self.note(option, line.place, .defaultListener)
            self.defaultListener.host = String(try line.value.word())
        case .perListenerSettings:
            let earlier = self.given.values.flatMap { $0 }.filter { $0.key.isOfSecurity }.map(\.value)
            if let first = earlier.min(by: { $0.line < $1.line }) {
                throw Objection("it must come before the options that it affects, and so before \(first).")
            }
            try self.note(option, line.place, .broker)
            self.isPerListener = try line.value.boolean()
        case .includeDirectory:
            guard isMain else { throw Objection("only the main file can include others; move the line there.") }
            try self.include(try line.value.wholeText())
        }
    }

    private func address(
        _ value: MosquittoValue
    ) throws(Objection) -> (port: Int?, host: String?, socketFile: String?) {
        let words = value.words
        guard let first = words.first else { throw Objection("it needs a port, as in listener 1883.") }
        let port = try MosquittoValue(first).number(in: 0...65_535)
        guard words.count < 3 else {
            throw Objection("it takes only a port and an address; remove \"\(words[2])\".")
        }
        let second = words.count == 2 ? String(words[1]) : nil
        guard port == 0 else { return (port, second, nil) }
        guard let second, second.hasPrefix("/") else {
            throw Objection(
                "port 0 means a Unix domain socket; give its absolute path, as in listener 0 /run/curlew.sock.")
        }
        return (nil, nil, second)
    }

    private mutating func include(_ folder: String) throws(Objection) {
        var path = folder
        do throws(SystemError) {
            for file in try self.files.configurations(in: folder) {
                path = file
                guard let text = try self.files.text(file) else { continue }
                self.read(text, file: file, isMain: false)
            }
        } catch {
            throw Objection("'\(path)' cannot be read: \(error).")
        }
    }

    private mutating func change(
        _ subject: Subject, _ body: (inout MosquittoListener) throws(Objection) -> Void
    ) throws(Objection) {
        if case .listener(let index) = subject {
            try body(&self.listeners[index])
        } else {
            try body(&self.defaultListener)
        }
    }

    /// Records the place of an option, and checks whether it was already set.
    private mutating func note(
        _ option: MosquittoOption, _ place: FilePlace, _ subject: Subject
    ) throws(Objection) {
        let earlier = self.given[subject, default: [:]].updateValue(place, forKey: option.name)
        guard let earlier, option.repetition != .allCount else { return }
        guard option.repetition == .lastCounts else {
            throw Objection("it is already set in \(earlier); remove one of the two lines.")
        }
        self.configuration.warnings.append(
            FileProblem(place: place, sentence: "\(option.name): this line overrides \(earlier)."))
    }

    private mutating func object(_ place: FilePlace, _ sentence: String) {
        self.problems.append(FileProblem(place: place, sentence: sentence))
    }

    // MARK: The end

    private mutating func finish() -> Outcome {
        self.placeDefaultListener()
        for index in self.listeners.indices {
            if !self.isPerListener { self.listeners[index].security = self.sharedSecurity }
        }
        for (index, listener) in self.listeners.enumerated() {
            self.check(listener, self.given[self.subject(index)] ?? [:])
        }
        self.checkAddresses()
        self.checkPreSharedKeys()
        guard self.problems.isEmpty else { return .problems(self.problems.inOrder) }
        self.configuration.listeners = self.listeners
        self.configuration.places = self.listeners.indices.map { self.given[self.subject($0)] ?? [:] }
        return .configuration(self.configuration)
    }

    /// Adds the default listener, after those of the file, if `port` or `bind_address` asks for it or there is no
    /// other.
    private mutating func placeDefaultListener() {
        let given = self.given[.defaultListener] ?? [:]
        let isAskedFor = given["port"] != nil || given["bind_address"] != nil
        guard isAskedFor || self.listeners.isEmpty else {
            for (name, place) in given {
                self.object(
                    place,
                    "\(name): it comes before the first listener and therefore applies to none; move it below one, or set port."
                )
            }
            return
        }
        self.defaultListener.isLocal = !isAskedFor
        self.defaultListener.port = self.defaultListener.port ?? 1883
        self.listeners.append(self.defaultListener)
    }

    private func subject(_ index: Int) -> Subject {
        self.listeners[index].place == nil ? .defaultListener : .listener(index)
    }

    /// Checks for options that need or exclude each other.
    private mutating func check(_ listener: MosquittoListener, _ given: [String: FilePlace]) {
        for (option, sentence) in listener.tls.contradictions {
            guard let place = given[option] else { continue }
            self.object(place, "\(option): \(sentence)")
        }
        for (option, sentence) in listener.contradictionsOfTransport {
            guard let place = given[option] else { continue }
            self.object(place, "\(option): \(sentence)")
        }
        if let place = given["socket_domain"], let sentence = listener.contradictionOfFamily {
            self.object(place, "socket_domain: \(sentence)")
        }
        let authorities = given["cafile"] ?? given["capath"]
        if let authorities, listener.tls.isOn, !listener.tls.requiresCertificate {
            let sentence =
                "without require_certificate, clients are not asked for a certificate; the CAs only complete certfile's chain."
            self.configuration.warnings.append(FileProblem(place: authorities, sentence: sentence))
        }
    }

    /// Checks that no two listeners have the same address.
    private mutating func checkAddresses() {
        var places: [String: FilePlace] = [:]
        for listener in self.listeners {
            if let path = listener.socketFile, let place = listener.place {
                if let earlier = places[path] {
                    self.object(place, "listener: \(path) is already used by the listener of \(earlier); give another.")
                }
                places[path] = place
            }
            guard let port = listener.port else { continue }
            let address = "\(listener.host ?? "*"):\(port):\(listener.family)"
            // The default listener, which has no place, comes last.
            if let earlier = places[address] {
                let other = listener.place == nil ? "the default listener" : "the listener of \(earlier)"
                self.object(
                    listener.place ?? earlier, "listener: port \(port) is already used by \(other); give another.")
            }
            places[address] = listener.place
        }
    }

    /// Checks that pre-shared keys and a listener that uses them come together.
    private mutating func checkPreSharedKeys() {
        for (index, listener) in self.listeners.enumerated() {
            guard let place = self.given[self.subject(index)]?["psk_hint"], listener.tls.preSharedKeyHint != nil,
                listener.security.preSharedKeyFile == nil
            else { continue }
            self.object(place, "psk_hint: there are no keys; name the file with the keys with psk_file.")
        }
        for (subject, options) in self.given {
            guard let place = options["psk_file"] else { continue }
            let users = self.listeners.indices.filter { subject == .broker || self.subject($0) == subject }
                .map { self.listeners[$0] }.filter { $0.security.preSharedKeyFile != nil }
            guard !users.isEmpty, users.allSatisfy({ $0.tls.preSharedKeyHint == nil }) else { continue }
            self.object(place, "psk_file: no listener uses these keys; set psk_hint for one.")
        }
    }
}

extension String {
    /// Whether `per_listener_settings` affects the option of that name.
    fileprivate var isOfSecurity: Bool {
        if case .security = MosquittoOption.named(self)?.subject { true } else { false }
    }
}

extension [FileProblem] {
    /// Sorted by line within each file; the files in the order of their first error.
    fileprivate var inOrder: [FileProblem] {
        var ranks: [String: Int] = [:]
        for problem in self where ranks[problem.place.file] == nil { ranks[problem.place.file] = ranks.count }
        return self.sorted {
            (ranks[$0.place.file] ?? 0, $0.place.line, $0.sentence) < (
                ranks[$1.place.file] ?? 0, $1.place.line, $1.sentence
            )
        }
    }
}
#endif
