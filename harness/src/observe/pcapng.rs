//! Packets as a pcapng file for Wireshark and its kin, with the TLS secrets inside.
//!
//! Section header, secrets, one interface a link, then the packets in order of time as bare IPv4. What a link dropped is in the file too, with
//! a comment, for it was sent.

use std::borrow::Cow;
use std::io::{self, Write};
use std::time::Duration;

use etherparse::{IpNumber, Ipv4Header, TcpHeader};
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::blocks::opt_common::CommonOption;
use pcap_file::pcapng::blocks::unknown::UnknownBlock;
use pcap_file::pcapng::{PcapNgWriteError, PcapNgWriter};
use pcap_file::{DataLink, Endianness};

use super::wire::{Capture, CapturedPacket};

/// The date given to the beginning of a run, since 1970: 2030-01-01T00:00:00Z.
pub const BASE: Duration = Duration::from_secs(1_893_456_000);

/// Decryption Secrets Block, which `pcap-file` does not know.
const SECRETS_BLOCK: u32 = 0x0000_000A;
/// `TLSK`: a TLS key log.
const TLS_KEY_LOG: u32 = 0x544c_534b;
/// Headers of IPv4 and TCP, without options.
const HEADERS: usize = 40;
/// Most payload that fits a packet's 16 bits of length.
const MOST: usize = u16::MAX as usize - HEADERS;

const FIN: u8 = 1;

/// Writes a capture file; the run began at `base` (since 1970, see [`BASE`]).
///
/// # Errors
/// Those of `out`; `InvalidData` for what the format can't hold, such as a packet of a link that has no name.
pub fn write(capture: &Capture, base: Duration, out: impl Write) -> io::Result<()> {
    let mut writer = PcapNgWriter::with_endianness(out, Endianness::Little).map_err(io_error)?;
    if !capture.key_log.is_empty() {
        let secrets = secrets(&capture.key_log)?;
        let length = u32::try_from(secrets.len()).map_err(invalid)?;
        writer.write_pcapng_block(UnknownBlock::new(SECRETS_BLOCK, length, &secrets)).map_err(io_error)?;
    }
    for link in &capture.links {
        let interface = InterfaceDescriptionBlock {
            linktype: DataLink::RAW,
            snaplen: 0,
            options: vec![
                InterfaceDescriptionOption::IfName(Cow::Owned(format!("{}->{}", link.from, link.to))),
                InterfaceDescriptionOption::IfTsResol(InterfaceTsResolution::NANO),
            ],
        };
        writer.write_pcapng_block(interface).map_err(io_error)?;
    }
    for packet in &capture.packets {
        for part in parts(packet) {
            let block = block(&part, base)?;
            writer.write_pcapng_block(block).map_err(io_error)?;
        }
    }
    writer.into_inner().flush()
}

/// The body of the secrets' block: type, length, key log.
fn secrets(key_log: &[String]) -> io::Result<Vec<u8>> {
    let mut text = String::new();
    for line in key_log {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let length = u32::try_from(text.len()).map_err(invalid)?;
    Ok([&TLS_KEY_LOG.to_le_bytes(), &length.to_le_bytes(), text.as_bytes()].concat())
}

/// A packet, or several where its payload is too long for one: the simulator's segments may be as long as 64 KiB.
fn parts(packet: &CapturedPacket) -> Vec<CapturedPacket> {
    let len = packet.len as usize;
    let mut parts = Vec::new();
    let mut at = 0;
    loop {
        let end = len.min(at + MOST);
        let mut part = packet.clone();
        part.seq = packet.seq.wrapping_add(u32::try_from(at).unwrap_or(u32::MAX));
        part.len = u32::try_from(end - at).unwrap_or(u32::MAX);
        let kept = packet.payload.len();
        part.payload = packet.payload.slice(at.min(kept)..end.min(kept));
        if end < len {
            part.flags &= !FIN;
        }
        parts.push(part);
        at = end;
        if at >= len {
            return parts;
        }
    }
}

fn block(packet: &CapturedPacket, base: Duration) -> io::Result<EnhancedPacketBlock<'static>> {
    let mut data = Vec::with_capacity(HEADERS + packet.payload.len());
    headers(packet, &mut data)?;
    data.extend_from_slice(&packet.payload);
    let comment =
        || EnhancedPacketOption::Common(CommonOption::Comment(Cow::Borrowed("dropped by the link")));
    Ok(EnhancedPacketBlock {
        interface_id: packet.link,
        timestamp: base + Duration::from_nanos(packet.at),
        original_len: u32::try_from(HEADERS).map_err(invalid)? + packet.len,
        data: Cow::Owned(data),
        options: packet.dropped.then(comment).into_iter().collect(),
    })
}

/// Writes the headers. The TCP checksum of a packet whose payload is cut can't be told; it is left zero.
fn headers(packet: &CapturedPacket, data: &mut Vec<u8>) -> io::Result<()> {
    let mut tcp = TcpHeader::new(packet.src.port(), packet.dst.port(), packet.seq, packet.window);
    tcp.acknowledgment_number = packet.ack;
    let set = |bit: u8| packet.flags & bit != 0;
    (tcp.fin, tcp.syn, tcp.rst, tcp.psh, tcp.ack) = (set(FIN), set(2), set(4), set(8), set(16));
    let len = u16::try_from(tcp.header_len() + packet.len as usize).map_err(invalid)?;
    let (src, dst) = (packet.src.ip().octets(), packet.dst.ip().octets());
    let mut ip = Ipv4Header::new(len, 64, IpNumber::TCP, src, dst).map_err(invalid)?;
    ip.dont_fragment = true;
    ip.header_checksum = ip.calc_header_checksum();
    if packet.payload.len() == packet.len as usize {
        tcp.checksum = tcp.calc_checksum_ipv4(&ip, &packet.payload).map_err(invalid)?;
    }
    ip.write(data)?;
    tcp.write(data)
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn io_error(error: PcapNgWriteError) -> io::Error {
    match error {
        PcapNgWriteError::Io(error) => error,
        other => invalid(other),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use etherparse::{NetSlice, SlicedPacket, TransportSlice};
    use pcap_file::pcapng::{Block, PcapNgReader};

    use super::*;
    use crate::language::Link;

    fn packet(at: u64, seq: u32, flags: u8, payload: &'static [u8]) -> CapturedPacket {
        CapturedPacket {
            at,
            link: 0,
            forward: true,
            src: "10.0.0.1:40000".parse().expect("an address"),
            dst: "10.0.0.2:80".parse().expect("an address"),
            seq,
            ack: 7,
            flags,
            window: 65_535,
            len: payload.len() as u32,
            payload: Bytes::from_static(payload),
            dropped: false,
        }
    }

    fn capture(packets: Vec<CapturedPacket>) -> Capture {
        Capture {
            links: vec![Link { from: "web.proxy".into(), to: "backend.proxy".into() }],
            packets,
            key_log: vec!["CLIENT_RANDOM 00 11".into()],
            ..Capture::default()
        }
    }

    fn blocks(capture: &Capture) -> Vec<Block<'static>> {
        let mut file = Vec::new();
        write(capture, BASE, &mut file).expect("written");
        let mut reader = PcapNgReader::new(file.as_slice()).expect("a section");
        let mut blocks = Vec::new();
        while let Some(block) = reader.next_block() {
            blocks.push(block.expect("a block").0.into_owned());
        }
        blocks
    }

    #[test]
    fn a_reader_finds_what_was_written() {
        let mut lost = packet(5, 3, 16, b"hi");
        lost.dropped = true;
        let blocks = blocks(&capture(vec![packet(1_500_000_000, 1, 2, b""), lost]));
        let [
            Block::Unknown(secrets),
            Block::InterfaceDescription(interface),
            Block::EnhancedPacket(syn),
            Block::EnhancedPacket(lost),
        ] = blocks.as_slice()
        else {
            panic!("{blocks:?}");
        };
        assert_eq!(secrets.type_, 10);
        assert_eq!(&secrets.value[..], b"KSLT\x14\0\0\0CLIENT_RANDOM 00 11\n");
        assert_eq!(
            interface.options[0],
            InterfaceDescriptionOption::IfName("web.proxy->backend.proxy".into())
        );
        assert_eq!(syn.timestamp, Duration::from_millis(1_893_456_001_500));
        assert_eq!(lost.options.len(), 1);
    }

    #[test]
    fn headers_have_right_checksums() {
        let blocks = blocks(&capture(vec![packet(0, 1, 24, b"odd")]));
        let Some(Block::EnhancedPacket(block)) = blocks.last() else { panic!("{blocks:?}") };
        let sliced = SlicedPacket::from_ip(&block.data).expect("a packet");
        let (Some(NetSlice::Ipv4(ip)), Some(TransportSlice::Tcp(tcp))) = (sliced.net, sliced.transport)
        else {
            panic!("no TCP");
        };
        // The sum over all words, checksum included, is all ones (RFC 1071).
        let sum = |bytes: &[u8]| {
            let words = bytes.chunks(2).map(|w| u32::from(w[0]) << 8 | w.get(1).map_or(0, |b| u32::from(*b)));
            let sum = words.sum::<u32>();
            (sum & 0xffff) + (sum >> 16)
        };
        assert_eq!(sum(&block.data[..20]), 0xffff);
        let pseudo = [&block.data[12..20], &[0, 6, 0, 23], &block.data[20..]].concat();
        assert_eq!(sum(&pseudo), 0xffff);
        assert_eq!(
            (ip.header().total_len(), tcp.sequence_number(), tcp.psh(), tcp.ack()),
            (43, 1, true, true)
        );
        assert_eq!(tcp.payload(), b"odd");
    }

    #[test]
    fn a_cut_payload_keeps_its_length() {
        let mut cut = packet(0, 1, 16, b"");
        cut.len = 1000;
        let blocks = blocks(&capture(vec![cut]));
        let Some(Block::EnhancedPacket(block)) = blocks.last() else { panic!("{blocks:?}") };
        assert_eq!((block.original_len, block.data.len()), (1040, 40));
    }

    #[test]
    fn a_segment_of_64_kib_becomes_two_packets() {
        static LONG: [u8; 65_536] = [1; 65_536];
        let blocks = blocks(&capture(vec![packet(0, 1, 17, &LONG)]));
        let [.., Block::EnhancedPacket(first), Block::EnhancedPacket(second)] = blocks.as_slice() else {
            panic!("{blocks:?}");
        };
        assert_eq!((first.data.len(), second.data.len()), (65_535, 81));
        // Flags: the second has the FIN. Sequence: it follows the first.
        assert_eq!((first.data[33], second.data[33]), (16, 17));
        assert_eq!(second.data[24..28], 65_496_u32.to_be_bytes());
    }

    #[test]
    fn a_packet_of_no_link_is_an_error() {
        let mut stray = packet(0, 1, 2, b"");
        stray.link = 3;
        let error = write(&capture(vec![stray]), BASE, Vec::new()).expect_err("no such interface");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
