// From a problem's JSON Pointer to a place in the text of the editor.

import type { Problem } from "../data/types";
import { JsonSyntaxError, locate, parseTree } from "./jsontext";

export interface Mark {
  from: number;
  to: number;
  message: string;
}

/** Marks for a text: its syntax error if it has one (nothing else can be placed then), or the problems given. */
export function diagnose(text: string, problems: readonly Problem[]): Mark[] {
  const syntax = syntaxError(text);
  if (syntax) {
    const from = Math.min(syntax.offset, Math.max(0, text.length - 1));
    return [{ from, to: Math.min(text.length, from + 1), message: syntax.message }];
  }
  const root = parseTree(text);
  return problems
    .map((p) => {
      const { from, to, exact } = locate(root, p.pointer);
      return { from, to, message: exact || !p.pointer ? p.message : `${p.pointer}: ${p.message}` };
    })
    .sort((a, b) => a.from - b.from);
}

/** What keeps a text from being JSON; undefined when nothing does. */
export function syntaxError(text: string): JsonSyntaxError | undefined {
  try {
    const root = parseTree(text);
    return root.kind === "object" ? undefined : new JsonSyntaxError("a document is an object: { … }", root.from);
  } catch (error) {
    if (error instanceof JsonSyntaxError) return error;
    throw error;
  }
}

/** Line and column, both from 1. */
export function lineOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  const line = before.split("\n").length;
  return { line, column: offset - before.lastIndexOf("\n") };
}
