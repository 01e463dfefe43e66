// SPDX-License-Identifier: MIT

package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

const algorithmCosignature = 4

// A witness, after the words of c2sp.org/tlog-cosignature: what it signs is the time and the checkpoint.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (c cosigner) Name() string { return c.name }

func (c cosigner) KeyHash() uint32 { return c.hash }

func (c cosigner) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(signature), text)
	return ed25519.Verify(c.key, []byte(signed), signature[8:])
}

func newCosigner(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("the witness's key is none")
	}
	data, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(data) != 1+ed25519.PublicKeySize || data[0] != algorithmCosignature {
		return nil, errors.New("the witness's key is none for cosignatures")
	}
	hash := sha256.Sum256(append([]byte(parts[0]+"\n"), data...))
	if hex.EncodeToString(hash[:4]) != parts[1] {
		return nil, errors.New("the witness's key has another id")
	}
	return cosigner{parts[0], binary.BigEndian.Uint32(hash[:4]), data[1:]}, nil
}

// The log's own signature, and this witness's.
func checkCosigned(text []byte, vkey string) error {
	if _, err := readCheckpoint(text); err != nil {
		return err
	}
	witness, err := newCosigner(vkey)
	if err != nil {
		return unreachable{err}
	}
	_, err = note.Open(text, note.VerifierList(witness))
	return err
}
