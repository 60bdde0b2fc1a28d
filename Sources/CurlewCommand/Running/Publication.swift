#if Tools
    import Curlew
    import CurlewCore
    import NIOCore

    /// How the messages of `curlew pub` are sent.
    struct Publication: Sendable {
        let topic: TopicName
        let qos: QoS
        let retain: Bool
        let properties: Properties

        func publish(_ payload: ByteBuffer, in conversation: Conversation, _ settings: Settings) async throws {
            do throws(MQTTError) {
                try await conversation.client.publish(
                    payload, to: self.topic.string, qos: self.qos, retain: self.retain, properties: self.properties)
            } catch {
                // Mosquitto's command warns, and ends well.
                guard settings.isMosquitto, error.code == .publishRefused else { throw error }
                Diagnostics.say(error.sentence)
            }
        }

        func publishLines(in conversation: Conversation, _ settings: Settings) async throws {
            try await conversation.connect()
            var lines = LineReader(Input(.standardInput, name: "standard input"))
            var window = DeliveryWindow(
                conversation.client, qos: self.qos, retain: self.retain, limit: settings.inFlight)
            var failure: Failure?
            do {
                while let line = try await lines.next() {
                    await window.send(line, to: self.topic, properties: self.properties)
                }
            } catch let error as Failure {
                failure = error
            }
            await window.finish()
            if let undelivered = window.failure(isCut: Task.isCancelled) {
                if settings.isMosquitto, window.wasOnlyRefused {
                    if let message = undelivered.message { Diagnostics.say(message) }
                } else {
                    // Each has a sentence of its own to say.
                    if let message = failure?.message { Diagnostics.say(message) }
                    throw undelivered
                }
            }
            if let failure { throw failure }
        }
    }

    extension DeliveryWindow {
        /// How many lines the server has not taken, and why; `nil` when it has taken them all.
        fileprivate func failure(isCut: Bool) -> Failure? {
            guard self.failed > 0 else {
                return isCut ? Failure("All \(self.total) lines read were delivered; more may have followed.") : nil
            }
            var text = "\(self.failed) of \(self.total) lines were not delivered"
            if let error = self.firstError, error.code != .cancelled {
                var error = error
                error.delivery = nil
                text += ": \(error.sentence)"
            } else {
                text += "."
            }
            return Failure(text)
        }

        /// Whether the server has answered every line.
        fileprivate var wasOnlyRefused: Bool { self.failed > 0 && self.refused == self.failed }
    }
#endif
