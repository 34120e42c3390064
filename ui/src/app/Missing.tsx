import { LinkButton } from "../parts/Button";
import { Page } from "../parts/Page";
import { Empty } from "../parts/State";

export function Missing() {
  return (
    <Page title="Not found">
      <Empty title="There is no page at this address">
        <LinkButton to="/">Go to the overview</LinkButton>
      </Empty>
    </Page>
  );
}
