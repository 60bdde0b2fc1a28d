#if Tools
    import Curlew
    import CurlewCore
    import DequeModule
    import NIOCore

    /// Publishes one message after the other without waiting for each, but keeps no more than so many, and so many bytes,
    /// unacknowledged: whoever has more to send waits for the oldest.
    struct DeliveryWindow {
        /// How many may be under way or wait in the client's outbox.
        static let usualCount = 1000
        /// How many bytes these may have together; one message may have more.
        private static let maximumBytes = 4 << 20

        private let client: MQTTClient
        private let qos: QoS
        private let retain: Bool
        private let maximumCount: Int
        private var deliveries = Deque<(delivery: MQTTClient.Delivery, size: Int)>()
        private var bytes = 0

        /// How many messages were given.
        private(set) var total = 0
        /// How many of them the server has not taken.
        private(set) var failed = 0
        /// How many of these it has refused.
        private(set) var refused = 0
        /// Why not, the first time.
        private(set) var firstError: MQTTError?

        init(_ client: MQTTClient, qos: QoS, retain: Bool, limit: Int? = nil) {
            self.client = client
            self.qos = qos
            self.retain = retain
            self.maximumCount = limit ?? Self.usualCount
        }

        /// Sends a message, when there is room.
        mutating func send(_ payload: ByteBuffer, to topic: TopicName, properties: Properties = Properties()) async {
            let size = payload.readableBytes
            while self.deliveries.count >= self.maximumCount
                || !self.deliveries.isEmpty && self.bytes + size > Self.maximumBytes
            {
                await self.awaitOldest()
            }
            self.total += 1
            do throws(MQTTError) {
                let delivery = try self.client.enqueue(
                    payload, to: topic.string, qos: self.qos, retain: self.retain, properties: properties)
                self.deliveries.append((delivery, size))
                self.bytes += size
            } catch {
                self.note(error)
            }
        }

        /// Waits until the server has taken everything, or has said that it does not.
        mutating func finish() async {
            while !self.deliveries.isEmpty { await self.awaitOldest() }
        }

        private mutating func awaitOldest() async {
            guard let (delivery, size) = self.deliveries.popFirst() else { return }
            self.bytes -= size
            do throws(MQTTError) { try await delivery.wait() } catch { self.note(error) }
        }

        private mutating func note(_ error: MQTTError) {
            self.failed += 1
            if error.code == .publishRefused { self.refused += 1 }
            if self.firstError == nil || self.firstError?.code == .cancelled { self.firstError = error }
        }
    }
#endif
