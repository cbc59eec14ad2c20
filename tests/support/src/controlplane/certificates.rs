//! Certificate authorities of a control plane and the certificates that they sign.
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SigningKey,
};
use yasna::models::ObjectIdentifier;

use super::Error;

const COMMON_NAME: &[u64] = &[2, 5, 4, 3];
const ORGANIZATION: &[u64] = &[2, 5, 4, 10];
/// Where the subject stands: version, serial number, algorithm, issuer, validity, subject, public key, extensions.
const SUBJECT: usize = 5;

/// A certificate with its private key, both PEM.
pub(super) struct Identity {
    pub(super) certificate: String,
    pub(super) key: String,
}

/// A certificate authority that lives as long as its control plane.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// The authority's own certificate, PEM.
    pub(super) certificate: String,
    /// The authority's own certificate, DER.
    pub(super) certificate_der: Vec<u8>,
}

impl Authority {
    pub(super) fn new(name: &str) -> Result<Self, Error> {
        let mut parameters = parameters(name, &[]).map_err(failed(name))?;
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().map_err(failed(name))?;
        let certificate = parameters.self_signed(&key).map_err(failed(name))?;
        Ok(Self {
            certificate: certificate.pem(),
            certificate_der: certificate.der().to_vec(),
            issuer: Issuer::new(parameters, key),
        })
    }

    /// A certificate for a server that is reached under `hosts` (names or addresses).
    pub(super) fn server(&self, name: &str, hosts: &[&str]) -> Result<Identity, Error> {
        let mut parameters = parameters(name, hosts).map_err(failed(name))?;
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().map_err(failed(name))?;
        let certificate = parameters.signed_by(&key, &self.issuer).map_err(failed(name))?;
        Ok(Identity { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// A certificate for a client; the API server takes its common name as user and its organizations as groups.
    pub(super) fn client(&self, user: &str, groups: &[&str]) -> Result<Identity, Error> {
        let mut parameters = parameters(user, &[]).map_err(failed(user))?;
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().map_err(failed(user))?;
        let single = parameters.signed_by(&key, &self.issuer).map_err(failed(user))?;
        let certificate = self.with_subject(single.der(), user, groups)?;
        Ok(Identity { certificate: pem::encode(&pem::Pem::new("CERTIFICATE", certificate)), key: key.serialize_pem() })
    }

    /// Signs `certificate` again with a subject of several organizations: rcgen keeps one value of each attribute, and
    /// users have several groups.
    fn with_subject(&self, certificate: &[u8], user: &str, groups: &[&str]) -> Result<Vec<u8>, Error> {
        let unreadable = |reason: yasna::ASN1Error| failed(user)(reason);
        let (mut fields, algorithm) = yasna::parse_der(certificate, |reader| {
            reader.read_sequence(|reader| {
                let mut fields = Vec::new();
                reader.next().read_sequence_of(|field| {
                    fields.push(field.read_der()?);
                    Ok(())
                })?;
                let algorithm = reader.next().read_der()?;
                reader.next().read_bitvec_bytes()?;
                Ok((fields, algorithm))
            })
        })
        .map_err(unreadable)?;
        fields[SUBJECT] = subject(user, groups);
        let signed = sequence(&fields);
        let signature = self.issuer.key().sign(&signed).map_err(failed(user))?;
        let signature = yasna::construct_der(|writer| writer.write_bitvec_bytes(&signature, signature.len() * 8));
        Ok(sequence(&[signed, algorithm, signature]))
    }
}

/// A key for service account tokens: the private half (PKCS#8) signs, the public half checks; both PEM.
pub(super) fn service_account_key() -> Result<(String, String), Error> {
    let key = KeyPair::generate().map_err(failed("service accounts"))?;
    Ok((key.serialize_pem(), key.public_key_pem()))
}

fn parameters(name: &str, hosts: &[&str]) -> Result<CertificateParams, rcgen::Error> {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut parameters = CertificateParams::new(hosts)?;
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.use_authority_key_identifier_extension = true;
    Ok(parameters)
}

fn subject(user: &str, groups: &[&str]) -> Vec<u8> {
    let attributes = groups.iter().map(|group| (ORGANIZATION, *group)).chain([(COMMON_NAME, user)]);
    let names: Vec<Vec<u8>> = attributes
        .map(|(kind, value)| {
            yasna::construct_der(|writer| {
                writer.write_set(|writer| {
                    writer.next().write_sequence(|writer| {
                        writer.next().write_oid(&ObjectIdentifier::from_slice(kind));
                        writer.next().write_utf8_string(value);
                    });
                });
            })
        })
        .collect();
    sequence(&names)
}

fn sequence(elements: &[Vec<u8>]) -> Vec<u8> {
    yasna::construct_der(|writer| {
        writer.write_sequence(|writer| {
            for element in elements {
                writer.next().write_der(element);
            }
        });
    })
}

fn failed<E: std::fmt::Display>(name: &str) -> impl FnOnce(E) -> Error {
    move |reason| Error::Certificate { name: name.to_owned(), reason: reason.to_string() }
}
